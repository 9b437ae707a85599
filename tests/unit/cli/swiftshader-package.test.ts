import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { fetchSwiftShader, type RunIn } from '../../../src/cli/swiftshader-package.ts';

let work: string;
let tarball: string;
let folder: string;
const PACKAGE = { name: '@some/package', version: '7.1.0', sha512: '' };
const FILES = ['libvk_swiftshader.so', 'libvulkan.so.1', 'vk_swiftshader_icd.json'];

beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'retune-package-'));
  mkdirSync(join(work, 'package/bin'), { recursive: true });
  for (const file of [...FILES, 'libEGL.so']) {
    writeFileSync(join(work, file), `content of ${file}`);
  }
  const inner = execFileSync('tar', ['-cf', '-', ...FILES, 'libEGL.so'], { cwd: work });
  writeFileSync(join(work, 'package/bin/swiftshader.tar.br'), brotliCompressSync(inner));
  tarball = join(work, 'some-package-7.1.0.tgz');
  execFileSync('tar', ['-czf', tarball, 'package'], { cwd: work });
  PACKAGE.sha512 = createHash('sha512').update(readFileSync(tarball)).digest('hex');
});
beforeEach(() => {
  folder = join(mkdtempSync(join(work, 'cache-')), 'software-device');
});
afterAll(() => rmSync(work, { recursive: true }));

/** npm that "downloads" the tarball, or fails. */
const runner =
  (asked: string[], failure?: string): RunIn =>
  async (cwd, [program, ...args]) => {
    if (program === 'npm') {
      asked.push(args.join(' '));
      if (failure !== undefined) {
        throw new Error(failure);
      }
      cpSync(tarball, join(cwd, 'some-package-7.1.0.tgz'));
      return;
    }
    execFileSync(program!, args, { cwd });
  };

it('keeps the device and its loader, and nothing else', async () => {
  const asked: string[] = [];
  mkdirSync(join(folder, '.999999999.partial-left'), { recursive: true });
  await fetchSwiftShader(folder, ['npm'], runner(asked), PACKAGE);
  expect(asked).toEqual(['pack @some/package@7.1.0 --loglevel=error --fetch-retries=0 --cache=npm-cache']);
  expect(readdirSync(folder)).toEqual(['swiftshader-7.1.0']);
  expect(readdirSync(join(folder, 'swiftshader-7.1.0')).sort()).toEqual(FILES);
  // A second process that fetches it too is content with the first's.
  await fetchSwiftShader(folder, ['npm'], runner(asked), PACKAGE);
  expect(readdirSync(folder)).toEqual(['swiftshader-7.1.0']);
});

it('refuses other content', async () => {
  const fetched = fetchSwiftShader(folder, ['npm'], runner([]), { ...PACKAGE, sha512: '12'.repeat(64) });
  await expect(fetched).rejects.toThrow(
    /^some-package-7\.1\.0\.tgz has the SHA-512 [0-9a-f]{16}…, expected 1212/,
  );
  expect(readdirSync(folder)).toEqual([]);
});

it('leaves nothing where npm fails', async () => {
  const fetched = fetchSwiftShader(folder, ['npm'], runner([], 'ENOTFOUND'), PACKAGE);
  await expect(fetched).rejects.toThrow('ENOTFOUND');
  expect(readdirSync(folder)).toEqual([]);
});
