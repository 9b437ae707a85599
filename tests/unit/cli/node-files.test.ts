import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { inspectFile, inspectFolder } from '../../../src/cli/inspections.ts';
import { adapterFolder, nodeFolder, nodeSource } from '../../../src/cli/node-files.ts';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'retune-files-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const CHANGED = 'it changed while it was read, so start again.';

it.each<[string, (path: string) => unknown, RegExp | string]>([
  [
    'has shrunk',
    (path) => truncateSync(path, 3),
    `ended at byte 3, while bytes up to 10 were expected; ${CHANGED}`,
  ],
  ['is gone', (path) => rmSync(path), 'cannot be read (ENOENT); check the path and its disk.'],
  [
    'is a pipe, which is not waited for',
    (path) => (rmSync(path), execFileSync('mkfifo', [path])),
    'cannot be read (ESPIPE); check the path and its disk.',
  ],
  ['is a folder', (path) => (rmSync(path), mkdirSync(path)), 'cannot be read (EISDIR); check the path'],
  [
    'is a link to itself',
    (path) => (rmSync(path), symlinkSync(path, path)),
    'is a chain of links that ends nowhere; name what the links were to lead to.',
  ],
])('a file that %s by the time it is read is named', async (_, change, sentence) => {
  const path = join(folder, 'rows.jsonl');
  writeFileSync(path, '0123456789');
  const source = await nodeSource(path);
  const within = await (await nodeFolder(folder)).open('rows.jsonl');
  change(path);
  for (const { read } of [source, within!]) {
    const told = await read(0, new Uint8Array(10)).catch((e: Error) => `${e.name} ${e.message}`);
    expect(told).toMatch(/^UserError /);
    expect(told).toContain(`${path}: ${sentence}`);
  }
});

it('what has never been a file or a folder is named at once', async () => {
  const path = join(folder, 'x');
  const neither = 'found something that is neither a file nor a folder; name a f';
  for (const make of [() => execFileSync('mkfifo', [path]), () => symlinkSync('/dev/zero', path)]) {
    make();
    await expect(nodeSource(path)).rejects.toThrow(`${path}: expected a file, ${neither}`);
    await expect(nodeFolder(path)).rejects.toThrow(`${path}: expected a folder, ${neither}`);
    await expect((await nodeFolder(folder)).open('x')).rejects.toThrow(`${path}: expected a file`);
    rmSync(path);
  }
  symlinkSync('nowhere', path);
  await expect(nodeSource(path)).rejects.toThrow(`${path}: no such file; check the path.`);
  await expect(nodeFolder(path)).rejects.toThrow(`${path}: no such folder; check the path.`);
});

it.each([
  ['named itself', () => nodeFolder(join(folder, 'model.gguf'))],
  ['as an adapter', () => adapterFolder(join(folder, 'model.gguf'))],
  ['inspected', async () => inspectFile(await nodeSource(join(folder, 'model.gguf')), () => undefined)],
  ['in a folder', async () => inspectFolder(await nodeFolder(folder), () => undefined)],
])('a GGUF is not sent on to its folder, which has no more to train: %s', async (_, work) => {
  writeFileSync(join(folder, 'model.gguf'), 'GGUF\u0003');
  await expect(work()).rejects.toThrow(
    `${join(folder, 'model.gguf')}: GGUF, whose weights are quantized to be run`,
  );
});
