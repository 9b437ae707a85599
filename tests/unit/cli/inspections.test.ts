import { describe, expect, test } from 'vitest';
import { inspectFile, inspectFolder } from '../../../src/cli/inspections.ts';
import { changedTensors, withBits } from '../../support/changed-tensors.ts';
import { fixtureFiles, type MemoryFiles, memoryFolder, source } from '../../support/memory-folder.ts';
import type { CaseName } from '../../support/model-case.ts';

const text = (bytes: unknown) => new TextDecoder().decode(bytes as Uint8Array);
const noProgress = () => undefined;
const base = (name: CaseName = 'recipe_text') => fixtureFiles(`cases/${name}/base`);
const inspectBase = (files: MemoryFiles, onProgress: (done: number, total: number) => void = noProgress) =>
  inspectFolder(memoryFolder('base', files), onProgress);

describe('a base', () => {
  test.each(['recipe_text', 'prequant', 'dynamic'] as const)(
    '%s is sound, and progress ends at its whole',
    async (name) => {
      const progress: [number, number][] = [];
      const facts = await inspectBase(base(name), (...at) => progress.push(at));
      expect(facts['sound']).toContain('there in its shape and finite');
      expect(facts['kept_in_16_bit']).toBe(
        name === 'dynamic' ? '9 modules, as config.json names them' : undefined,
      );
      expect(progress.at(-1)![0]).toBe(progress.at(-1)![1]);
      const done = progress.map(([bytes]) => bytes);
      expect(done).toEqual(done.toSorted((a, b) => a - b));
    },
  );

  test('whose head is not the embedding, though config.json says so, is told as such', async () => {
    const facts = await inspectBase(base('untied_head'));
    expect(facts['tied']).toBe(false);
    expect(facts['notes']).toContain('lm_head.weight in the files differs from it; both are used');
  });

  test.each<[CaseName, string, number, string]>([
    ['recipe_text', 'model.layers.1.mlp.down_proj.weight', 0x7fc0, '0, 0'],
    ['recipe_text', 'model.embed_tokens.weight', 0xff80, '0, 0'],
    ['recipe_text', 'model.layers.0.post_attention_layernorm.weight', 0x7f80, '0'],
    ['prequant', 'model.layers.0.mlp.gate_proj.weight.nested_absmax', 0x7f800001, '0'],
    ['dynamic', 'model.layers.0.self_attn.k_proj.weight', 0x7fc0, '0, 0'],
  ])('%s: a value of %s that is not finite is found', async (name, tensor, bits, at) => {
    const files = await changedTensors(base(name), 'model.safetensors', (t) =>
      t.name === tensor ? withBits(t, 0, bits) : t,
    );
    await expect(inspectBase(files)).rejects.toThrow(
      `base/model.safetensors: ${tensor} holds a value that is not finite at [${at}], expected numbers; download the base again.`,
    );
  });

  test.each([
    ['{% for m in messages %}{{ m.content }}', 'cannot be read: unexpected end of template'],
    ["{{ raise_exception('no') }}", 'refuses even a question and its answer: no'],
  ])('a chat template that no chat can use is found: %s', async (template, reason) => {
    const files = { ...base(), 'chat_template.jinja': template };
    await expect(inspectBase(files)).rejects.toThrow(
      new RegExp(
        `^base/chat_template\\.jinja, line 1: the chat template ${reason}.*; take the file from the base model's repository again\\.$`,
      ),
    );
  });

  test('without a chat template is sound', async () => {
    const files = base();
    delete files['chat_template.jinja'];
    const config = JSON.parse(text(files['tokenizer_config.json'])) as object;
    files['tokenizer_config.json'] = JSON.stringify({ ...config, chat_template: null });
    await expect(inspectBase(files)).resolves.toHaveProperty('kind', 'base model');
  });
});

describe('an adapter', () => {
  test.each([
    [{}, undefined],
    [{ target_modules: '(' }, 'v1/adapter_config.json: target_modules is "("'],
    [{ rank_pattern: { '(': 4 } }, 'v1/adapter_config.json: rank_pattern is "("'],
    [
      { target_modules: ['q_proj'] },
      'is found, expected no tensor of its module (target_modules ["q_proj"])',
    ],
    [{ rank_pattern: { q_proj: 3 } }, 'q_proj.lora_A.weight is [32, 128], expected [3, in]'],
  ])('whose configuration says %j', async (change, sentence) => {
    const files = fixtureFiles('cases/recipe_text/v1');
    const config = JSON.parse(text(files['adapter_config.json'])) as object;
    files['adapter_config.json'] = JSON.stringify({ ...config, ...change });
    const facts = inspectFolder(memoryFolder('v1', files), noProgress);
    if (sentence) {
      await expect(facts).rejects.toThrow(sentence);
    } else {
      await expect(facts).resolves.toMatchObject({ kind: 'adapter', modules: 14 });
    }
  });
});

test('of any safetensors file, the tensors that are not finite are named', async () => {
  const sound = base();
  const names = ['model.norm.weight', 'model.layers.1.self_attn.v_proj.bias'];
  const broken = await changedTensors(sound, 'model.safetensors', (t) =>
    names.includes(t.name) ? withBits(t, 0, 0x7f80) : t,
  );
  const found = async (files: MemoryFiles) =>
    (await inspectFile(source('m.safetensors', files['model.safetensors']!), noProgress))['not_finite'];
  expect(await found(sound)).toBe('none');
  expect((await found(broken)) as string[]).toHaveLength(2);
  expect(await found(broken)).toEqual(expect.arrayContaining(names));
});
