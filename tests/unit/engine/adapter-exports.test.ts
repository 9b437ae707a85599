import { describe, expect, it, vi } from 'vitest';
import { AdapterExports } from '../../../src/engine/exports/adapter-exports.ts';
import { ExportSources } from '../../../src/engine/exports/export-sources.ts';
import type { KeptAdapters } from '../../../src/engine/files/kept-adapters.ts';
import type { AdapterToUse, ExportChoice } from '../../../src/engine/protocol/export.ts';
import type { KeptRuns } from '../../../src/engine/runs/kept-runs.ts';
import { planExport } from '../../../src/export/export.ts';
import { FORMS } from '../../../src/export/forms.ts';
import { UserError } from '../../../src/formats/user-error.ts';
import { contentOf } from '../../support/exported.ts';
import { fixtureFiles, memoryFolder } from '../../support/memory-folder.ts';
import { outputFolder } from '../../support/output-folder.ts';

const chosen = (path: string, name: string) => ({
  name,
  files: Object.entries(fixtureFiles(path)).map(
    ([file, content]) => new File([content as Uint8Array<ArrayBuffer>], file),
  ),
});

/** The run tests/fixtures/run of the base cases/batch2, which this browser has no copy of. */
const runs = {
  record: async () => ({
    created: 0,
    identity: { base: '' },
    recipe: { quantization: {} },
    inputs: { base: 'toy' },
  }),
} as unknown as KeptRuns;
const sources = new ExportSources(
  runs,
  { open: async () => chosen('run', 'v1 + rows.jsonl') } as unknown as KeptAdapters,
  { of: async () => undefined },
);
const exports = new AdapterExports(runs, sources);
const adapter: AdapterToUse = { run: 'run', name: 'v2', base: chosen('cases/batch2/base', 'base') };
const none = () => undefined;

const planned = ({ form, type, onto }: ExportChoice) =>
  planExport({
    ...{ form, type, onto, otherBase: false },
    base: memoryFolder('base', fixtureFiles('cases/batch2/base')),
    adapter: memoryFolder('v2', fixtureFiles('run')),
  });

const sentenceOf = async (work: Promise<unknown>): Promise<string> => {
  const error: unknown = await work.then(
    () => 'done',
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  return (error as UserError).message;
};

const CHOICES = [
  { form: 'merged', type: undefined, onto: 'base' },
  { form: 'gguf', type: 'q8_0', onto: 'nf4' },
  { form: 'gguf-lora', type: 'f32', onto: 'base' },
  { form: 'ollama', type: 'f16', onto: 'base' },
] as const satisfies ExportChoice[];

describe.each(CHOICES)('an adapter of the browser as $form', (choice) => {
  const { isFile } = FORMS[choice.form];

  it('is what the command line writes, of the size told before', async () => {
    const { handle, files } = outputFolder('models');
    const progress: number[][] = [];
    const told = await exports.into(
      adapter,
      choice,
      { folder: handle, file: isFile ? 'v2.gguf' : undefined },
      (phase, done, total) => phase === 'writing' && progress.push([done, total]),
    );
    const { files: outputs, commands = [] } = await planned(choice);
    const expected = await Promise.all(
      outputs.map(async (file) => [isFile ? 'v2.gguf' : file.path, await contentOf(file)] as const),
    );
    expect([...files]).toEqual(expected);
    expect(told).toMatchObject({ files: files.size, commands });
    expect(progress.at(-1)).toEqual([told.bytes, told.bytes]);
    const sizes = await exports.sizes(adapter, choice.onto);
    expect(sizes.find(({ form, type }) => form === choice.form && type === choice.type)?.size).toEqual({
      bytes: told.bytes,
    });
  });

  it('ends where it is canceled', async () => {
    const { handle } = outputFolder('models');
    const controller = new AbortController();
    const canceled = new UserError('Canceled.');
    const work = exports.into(
      adapter,
      choice,
      { folder: handle, file: isFile ? 'v2.gguf' : undefined },
      (phase) => phase === 'writing' && controller.abort(canceled),
      controller.signal,
    );
    await expect(work).rejects.toBe(canceled);
  });
});

describe('an export of the page', () => {
  it.each([
    ['QuotaExceededError', /^models: the disk is full: \d+ KiB were to be written; make room there/],
    ['InvalidStateError', /^models: cannot be written to \(injected\); choose another folder\.$/],
  ])('that ends in %s says so in a sentence, and leaves no such file', async (name, sentence) => {
    const { handle, files } = outputFolder('models', { name, at: 0 });
    const place = { folder: handle };
    expect(await sentenceOf(exports.into(adapter, CHOICES[0], place, none))).toMatch(sentence);
    expect(files.size).toBe(0);
  });

  it('is no download that the browser has no room for', async () => {
    vi.stubGlobal('navigator', { storage: { estimate: async () => ({ usage: 90, quota: 100 }) } });
    expect(await sentenceOf(exports.file(adapter, CHOICES[0], 'v2-merged', none))).toMatch(
      /^v2-merged: the download takes \d+ KiB, and the browser has room for 10 bytes; free some disk space/,
    );
  });

  it('names what is wrong with a base', async () => {
    const other = { ...adapter, base: chosen('cases/chat_messages/base', 'other') };
    expect(
      await sentenceOf(exports.into(other, CHOICES[0], { folder: outputFolder('m').handle }, none)),
    ).toMatch(
      /^v2: trained on another base than other \(SHA-256 .*\); choose the folder of the base that it was trained on\.$|belongs to another base/,
    );
    expect(await sentenceOf(exports.sizes({ ...adapter, base: undefined }, 'base'))).toBe(
      "toy: this browser keeps no way to the base's folder; choose it again.",
    );
  });
});
