import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bytesSource } from '../../../src/formats/byte-source.ts';
import { recognizeFiles } from '../../../src/formats/recognize-files.ts';
import { encodeUtf8 } from '../../../src/formats/utf8.ts';
import { casePath, CASES } from '../../support/model-case.ts';
import { Random } from '../../support/random.ts';

const CARD = encodeUtf8(
  '---\nlicense: apache-2.0\n---\n# Use\n`{{ messages }}`, `{% for m in messages %}`\n',
);
const MERGES = encodeUtf8('#version: 0.2\na b\n');
const VOCABULARY = encodeUtf8(
  JSON.stringify({
    ...Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`w${i}`, i])),
    eos_token_id: 7,
  }),
);

const filesOf = (folder: string): Map<string, Uint8Array> =>
  new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]));

/** Under names that say nothing, in any order, beside what a repository has besides. */
const blobsOf = (files: Iterable<Uint8Array>, random: Random) =>
  [...files, CARD, MERGES, VOCABULARY, encodeUtf8('*.bin filter=lfs\n'), new Uint8Array()]
    .map((bytes, i) => ({ ...bytesSource(`blob${i}`, bytes), bytes, order: random.uniform() }))
    .toSorted((a, b) => a.order - b.order);

describe.each(CASES)('%s', (name) => {
  it.each(['base', 'v1'])('%s is recognized file by file', async (part) => {
    const files = filesOf(casePath(name, part));
    const found = await recognizeFiles('cache', blobsOf(files.values(), new Random(name.length)));
    expect(found.map(({ name }) => name).toSorted()).toEqual([...files.keys()].toSorted());
    for (const { name, file } of found) {
      // The same array, not only the same bytes: comparing a megabyte number by number takes seconds.
      expect(file.bytes === files.get(name), name).toBe(true);
    }
  });
});

describe('what is not one model', () => {
  const base = () => filesOf(casePath('batch2', 'base'));
  const sentence = async (files: Iterable<Uint8Array>): Promise<string> =>
    recognizeFiles('cache', blobsOf(files, new Random(1))).then(
      (found) => `recognized ${found.length}`,
      (error: Error) => error.message,
    );

  it.each([
    ['config.json', '{"model_type":"qwen2"}'],
    ['generation_config.json', '{"eos_token_id":5}'],
    ['tokenizer.json', '{"model":{},"added_tokens":[]}'],
    ['chat_template.jinja', '{% for message in messages %}{% endfor %}'],
  ])('two that could be %s', async (name, text) => {
    expect(await sentence([...base().values(), encodeUtf8(text)])).toBe(
      `cache: two of its blobs could be ${name}, as where the cache holds two revisions; choose a folder that holds the files themselves, such as one that "hf download MODEL --local-dir FOLDER" makes.`,
    );
  });

  it('two revisions of the weights', async () => {
    const files = base();
    const other = Uint8Array.from(files.get('model.safetensors')!);
    other[other.length - 1]! ^= 1;
    expect(await sentence([...files.values(), other])).toMatch(
      /^cache: two of its blobs could be model\.safetensors,/,
    );
  });

  it('GGUF', async () => {
    expect(await sentence([encodeUtf8('GGUF\x03\0\0\0 and more')])).toBe(
      'cache: GGUF, whose weights are quantized to be run, as LM Studio, Ollama and llama.cpp do, and cannot be trained; choose the folder of the model that it was made from, with config.json and .safetensors files.',
    );
  });

  it('a download that broke off', async () => {
    const blob = bytesSource('ab12.incomplete', new Uint8Array(5));
    await expect(recognizeFiles('cache', [blob])).rejects.toThrow(
      'cache: ab12.incomplete is still being downloaded, or its download broke off; let it finish, or start it again, and then choose the folder.',
    );
  });

  it('more blobs than any model has', async () => {
    const blobs = Array.from({ length: 1001 }, (_, i) => bytesSource(`blob${i}`, new Uint8Array()));
    await expect(recognizeFiles('cache', blobs)).rejects.toThrow(
      /^cache: 1001 blobs, expected one model's, at most 1000; choose a folder that holds the files themselves/,
    );
  });

  it('an index of a shard with very many tensors is read in no time', async () => {
    const tensors = Array.from({ length: 300_000 }, (_, i) => [`t${i}`, 'model-1.safetensors']);
    const index = encodeUtf8(JSON.stringify({ weight_map: Object.fromEntries(tensors) }));
    const found = await recognizeFiles('cache', blobsOf([index], new Random(3)));
    expect(found.map(({ name }) => name)).toEqual(['model.safetensors.index.json']);
  }, 20_000);

  it('a shard that is missing leaves the others their names', async () => {
    const files = filesOf(casePath('llama_sharded', 'base'));
    files.delete('model-00002-of-00003.safetensors');
    const found = await recognizeFiles('cache', blobsOf(files.values(), new Random(2)));
    expect(found.map(({ name }) => name).toSorted()).toEqual([...files.keys()].toSorted());
  });
});
