import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const REVISION = '989aa7980e4cf806f80c7fef2b1adb7bc71aa306';

/** Makes a model's folder of Hugging Face's cache from a plain one: blobs named by hash, and links to them. */
export function makeHubCache(cache: string, plain: string, name = 'models--toy--model'): string {
  const folder = join(cache, name);
  const snapshot = join(folder, 'snapshots', REVISION);
  for (const inner of ['blobs', 'refs', `snapshots/${REVISION}`]) {
    mkdirSync(join(folder, inner), { recursive: true });
  }
  writeFileSync(join(folder, 'refs/main'), REVISION);
  for (const file of readdirSync(plain)) {
    const bytes = readFileSync(join(plain, file));
    const blob = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(folder, 'blobs', blob), bytes);
    symlinkSync(`../../blobs/${blob}`, join(snapshot, file));
  }
  return folder;
}
