import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inspectFolder } from '../../../src/cli/inspections.ts';
import { nodeFolder } from '../../../src/cli/node-files.ts';
import { folderOf } from '../../../src/engine/files/files.ts';
import { readAdapter } from '../../../src/formats/adapter.ts';
import { openBaseModel } from '../../../src/formats/base-model.ts';
import type { DecoderConfig } from '../../../src/formats/decoder-config.ts';
import { placeOfPaths } from '../../../src/platform/places.ts';
import { folderAt } from '../../../src/platform/read-folder.ts';
import { loadTokenizer } from '../../../src/text/load-tokenizer.ts';

const FILES = [
  'one/base/config.json',
  'one/base/logs/events',
  'hub/refs/main',
  'hub/snapshots/0a1b/config.json',
  'two/a/config.json',
  'two/b/config.json',
  'two/b/adapter_config.json',
  'v2/checkpoint-10/adapter_config.json',
  'v2/checkpoint-20/adapter_config.json',
  'bare/config.json',
  'bare/onnx/tokenizer.json',
  'none/notes.txt',
];

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'retune-levels-'));
  for (const path of FILES) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), '{}');
  }
});
afterAll(() => rmSync(root, { recursive: true }));

const openBase = (name: string) => nodeFolder(join(root, name)).then(openBaseModel);
const openAdapter = (name: string) =>
  nodeFolder(join(root, name)).then((folder) => readAdapter(folder, {} as DecoderConfig));
const sentence = (work: Promise<unknown>) =>
  work.then(
    () => 'no error',
    ({ message }: Error) => message.replaceAll(root, '~'),
  );

describe('a folder that is off by a level names the one that is meant', () => {
  it.each([
    ['one', '~/one: one level too high: config.json is in its folder base; choose that folder.'],
    ['hub', '~/hub: one level too high: config.json is in its folder snapshots/0a1b; choose that folder.'],
    ['two', '~/two: one level too high: 2 folders in it have a config.json ("a", "b"); choose one of those.'],
    [
      'one/base/logs',
      '~/one/base/logs: one level too low: config.json is in the folder above, ~/one/base; choose that folder.',
    ],
    [
      'none',
      '~/none: config.json is missing, expected the folder of a Hugging Face base model; choose that folder.',
    ],
  ])('of a base: %s', async (name, expected) => expect(await sentence(openBase(name))).toBe(expected));

  it('of an adapter, and of what inspect is given', async () => {
    const two =
      '2 folders in it have a adapter_config.json ("checkpoint-10", "checkpoint-20"); choose one of those.';
    const expected = `~/v2: one level too high: ${two}`.replace('a adapter', 'an adapter');
    expect(await sentence(openAdapter('v2'))).toBe(expected);
    const inspected = nodeFolder(join(root, 'v2')).then((folder) => inspectFolder(folder, () => undefined));
    expect(await sentence(inspected)).toBe(expected);
  });

  it('but not where a base only lacks its tokenizer', async () => {
    expect(await sentence(nodeFolder(join(root, 'bare')).then((folder) => loadTokenizer(folder)))).toBe(
      "~/bare: tokenizer.json is missing; copy it from the base model's repository into this folder.",
    );
  });

  it.each([
    // The only one is taken, and lacks the rest.
    ['one', 'one/base/config.json: model_type is missing, '],
    ['hub', 'hub/snapshots/0a1b/config.json: model_type is missing, '],
    ['two', 'two: one level too high: 2 folders in it have a config.json ("a", "b"); choose one of those.'],
    [
      'none',
      'none: config.json is missing, expected the folder of a Hugging Face base model; choose that folder.',
    ],
    [
      'empty',
      'empty: empty, as far as a browser shows it, which hides links; if it is a snapshot in Hugging Face\'s cache, choose the folder above it whose name begins with "models--".',
    ],
  ])('in the page: %s', async (name, expected) => {
    const own = FILES.filter((path) => path.startsWith(`${name}/`));
    const files = own.map((path) => {
      const inner = path.slice(name.length + 1);
      return [inner, new File(['{}'], inner.split('/').at(-1)!)] as const;
    });
    const folder = folderOf(await folderAt(placeOfPaths(files), name));
    expect((await sentence(openBaseModel(folder))).slice(0, expected.length)).toBe(expected);
  });
});
