import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zipSync } from 'fflate';
import { expect, test } from 'vitest';
import { adapterFolder } from '../../../src/cli/node-files.ts';
import { openAdapterZip } from '../../../src/engine/files/inspect.ts';
import { encodeUtf8 } from '../../../src/formats/utf8.ts';
import { adapterHash } from '../../../src/run/checkpoint/identity.ts';
import { fixtureFiles, memoryFolder } from '../../support/memory-folder.ts';

const V1 = fixtureFiles('cases/recipe_text/v1') as Record<string, Uint8Array>;
const text = (content = 'x') => encodeUtf8(content);
const below = (folder: string, files: Record<string, Uint8Array>) =>
  Object.fromEntries(Object.entries(files).map(([name, bytes]) => [`${folder}/${name}`, bytes]));
const zip = (files: Record<string, Uint8Array>, level: 0 | 6 = 6) =>
  new File([zipSync(files, { level }) as Uint8Array<ArrayBuffer>], 'v1.zip');

test.each<[string, string, Record<string, Uint8Array>]>([
  ['at the top', 'v1.zip', V1],
  ['with checkpoints and logs, as Retune exports it', 'v1.zip', { ...V1, ...below('checkpoint-2', V1) }],
  [
    'in a folder, with what macOS adds',
    'v1.zip/fine tuned',
    { ...below('fine tuned', V1), '__MACOSX/fine tuned/._adapter_config.json': text() },
  ],
])('an adapter %s', async (_, name, files) => {
  const more = { ...files, 'README.md': text(), 'runs/adapter_model.bin': text() };
  for (const level of [0, 6] as const) {
    const folder = await openAdapterZip(zip(more, level));
    expect(folder.name).toBe(name);
    const opened = await Promise.all(
      folder.files.map(async (file) => [file.name, new Uint8Array(await file.arrayBuffer())] as const),
    );
    expect(Object.keys(Object.fromEntries(opened)).toSorted()).toEqual([
      'adapter_config.json',
      'adapter_model.safetensors',
    ]);
    expect(await adapterHash(memoryFolder('v1', Object.fromEntries(opened)))).toBe(
      await adapterHash(memoryFolder('v1', V1)),
    );
  }
});

test('the command line reads the same from a zip', async () => {
  const at = mkdtempSync(join(tmpdir(), 'retune-zip-'));
  const path = join(at, 'v1.zip');
  writeFileSync(path, zipSync(below('v1', V1)));
  const folder = await adapterFolder(path);
  expect(folder.name).toBe(`${path}/v1`);
  expect(await folder.list()).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
  expect(await adapterHash(folder)).toBe(await adapterHash(memoryFolder('v1', V1)));
  writeFileSync(path, 'text');
  await expect(adapterFolder(path)).rejects.toThrow('expected a folder, found a file');
  rmSync(at, { recursive: true });
});

test.each<[string, Record<string, Uint8Array>, string]>([
  [
    'two adapters',
    { ...below('a', V1), ...below('b', V1) },
    'it holds 2 adapters ("a/", "b/"); unpack it and choose one of these folders.',
  ],
  [
    'a pickle',
    { 'adapter_config.json': text(), 'adapter_model.bin': text() },
    'this is a PyTorch pickle, and pickle files are never opened because they can run code; ',
  ],
  ['what torch.save writes', { 'archive/data.pkl': text() }, 'this is a PyTorch pickle, '],
  [
    'a run',
    { 'retune-run.json': text(), 'result/x': text() },
    'this is an exported run; import it under Runs and continue from there.',
  ],
  [
    'a model',
    { 'config.json': text(), 'model.safetensors': text() },
    'this is a whole model; unpack it and choose its folder as the base model.',
  ],
  ['an Excel workbook', { 'xl/workbook.xml': text() }, 'this is an Excel workbook; save its table as CSV'],
  ['rows', { 'data/train.csv': text() }, 'this is rows; unpack them and choose the file as rows.'],
  [
    'nothing',
    { 'notes.txt': text() },
    'there is no adapter_config.json in it; choose a zip of an adapter, with adapter_config.json and adapter_model.safetensors, or the adapter’s folder.',
  ],
])('%s: refused by one sentence', async (_, files, message) => {
  const error = await openAdapterZip(zip(files)).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ name: 'UserError' });
  expect((error as Error).message).toContain(message);
  expect((error as Error).message).toMatch(/^v1\.zip/);
});

test('what is no zip, is changed, or unpacks to too much', async () => {
  await expect(openAdapterZip(new File(['text'], 'v1.zip'))).rejects.toThrow(
    /^v1\.zip: this is not a zip file, or its end is missing; choose a zip of an adapter, /,
  );
  const bytes = zipSync(V1, { level: 0 });
  bytes[2000]! ^= 1;
  await expect(openAdapterZip(new File([bytes as Uint8Array<ArrayBuffer>], 'v1.zip'))).rejects.toThrow(
    'in it is damaged; ',
  );
});
