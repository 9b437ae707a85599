import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { openInputs } from './inputs.ts';
import { judge } from './judge.ts';

/** Writes the input "format/list/index" into a folder and reads it here, where a debugger can follow. */
export async function reproduce(name: string): Promise<void> {
  const [format, kind, index] = name.split('/');
  const inputs = await openInputs(`${format}/${kind}`);
  const files = inputs.at(Number(index));
  const folder = join(tmpdir(), `retune-fuzz-${name.replaceAll('/', '-')}`);
  for (const [file, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), bytes);
  }
  console.log(`${name} is in ${folder}`);
  console.log(await judge(inputs.format, files));
}
