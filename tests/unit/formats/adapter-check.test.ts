import { describe, expect, test } from 'vitest';
import { readAdapter } from '../../../src/formats/adapter.ts';
import { checkAdapter } from '../../../src/formats/adapter-check.ts';
import { parseAdapterConfig } from '../../../src/formats/adapter-config.ts';
import { parseDecoderConfig } from '../../../src/formats/decoder-config.ts';
import { parseJson } from '../../../src/formats/json.ts';
import { openSafetensors } from '../../../src/formats/safetensors.ts';
import type { TensorData } from '../../../src/formats/safetensors-write.ts';
import { changedTensors, withBits } from '../../support/changed-tensors.ts';
import { fixtureFiles, type MemoryFiles, memoryFolder, source } from '../../support/memory-folder.ts';

const FILE = 'adapter_model.safetensors';
const CONFIG = 'adapter_config.json';
const text = (bytes: unknown) => new TextDecoder().decode(bytes as Uint8Array);
const tensorOf = (module: string, matrix: 'A' | 'B') =>
  `base_model.model.model.layers.${module}.lora_${matrix}.weight`;
const Q_A = tensorOf('0.self_attn.q_proj', 'A');

async function check(files: MemoryFiles, change: object = {}): Promise<number> {
  const json = { ...(parseJson(text(files[CONFIG]), { keepFloats: true }) as object), ...change };
  return checkAdapter(
    await openSafetensors(source(`v1/${FILE}`, files[FILE]!)),
    parseAdapterConfig(json, `v1/${CONFIG}`),
  );
}
const v1 = (name = 'recipe_text') => fixtureFiles(`cases/${name}/v1`);
const sentenceOf = (work: Promise<unknown>) =>
  work.then(
    () => 'sound',
    (error: Error) => `${error.name}: ${error.message}`,
  );

describe('an adapter without its base', () => {
  test.each([
    ['recipe_text', 14],
    ['chat_messages', 4],
    ['rank_pattern', 6],
    ['llama_sharded', 14],
  ])('%s is sound', async (name, pairs) => {
    expect(await check(v1(name))).toBe(pairs);
  });

  test('a target that is a pattern counts whole names', async () => {
    const files = await changedTensors(v1(), FILE, (t) => (/\.[qk]_proj\./.test(t.name) ? t : []));
    expect(await check(files, { target_modules: '.*\\.(q|k)_proj' })).toBe(4);
    expect(await sentenceOf(check(files, { target_modules: '(q|k)_proj' }))).toContain(
      'expected no tensor of its module',
    );
  });

  const mismatch = 'by adapter_config.json; take both files from the same adapter.';
  test.each<[string, object, string]>([
    [
      'a target that is no pattern',
      { target_modules: '(' },
      `v1/${CONFIG}: target_modules is "(", expected a regular expression that JavaScript can read too: Unterminated group; list the module names instead.`,
    ],
    [
      'a rank pattern that is none',
      { rank_pattern: { '(': 4 } },
      `v1/${CONFIG}: rank_pattern is "(", expected a regular expression`,
    ],
    [
      'an alpha pattern that is none',
      { alpha_pattern: { '[': 4 } },
      `v1/${CONFIG}: alpha_pattern is "[", expected a regular expression`,
    ],
    [
      'fewer targets than modules',
      { target_modules: ['q_proj'] },
      `v1/${FILE}: ${tensorOf('0.mlp.down_proj', 'A')} is found, expected no tensor of its module (target_modules ["q_proj"]) ${mismatch}`,
    ],
    [
      'layers that are not adapted',
      { layers_to_transform: [0] },
      `model.layers.1.mlp.down_proj.lora_A.weight is found, expected no tensor of its module (target_modules [`,
    ],
    [
      'an excluded module',
      { target_modules: 'all-linear', exclude_modules: ['k_proj'] },
      `(target_modules "all-linear", exclude_modules ["k_proj"]) ${mismatch}`,
    ],
    [
      'the rank of a pattern',
      { rank_pattern: { q_proj: 3 } },
      `v1/${FILE}: ${Q_A} is [32, 128], expected [3, in] ${mismatch}`,
    ],
    ['the rank of all', { r: 16 }, `is [32, 352], expected [16, in] ${mismatch}`],
    [
      'a target outside the layers',
      { target_modules: ['q_proj', 'lm_head'] },
      `v1/${CONFIG}: target_modules is ["q_proj","lm_head"] and includes lm_head, expected linear modules of the decoder layers only`,
    ],
  ])('%s', async (_, change, sentence) => {
    expect(await sentenceOf(check(v1(), change))).toContain(`UserError: `);
    expect(await sentenceOf(check(v1(), change))).toContain(sentence);
  });

  const incomplete = 'the adapter is incomplete or not plain LoRA, so take another copy of it.';
  test.each<[string, (tensor: TensorData) => TensorData | [], string]>([
    [
      'modules without tensors',
      (t) => (t.name.includes('0.mlp.up_proj') ? [] : t),
      `v1/${FILE}: there is no tensor of model.layers.0.mlp.up_proj, expected lora_A and lora_B (target_modules [`,
    ],
    [
      'half a pair',
      (t) => (t.name === Q_A ? [] : t),
      `has only lora_B, expected lora_A and lora_B; ${incomplete}`,
    ],
    [
      'no tensors',
      () => [],
      `v1/${FILE}: there is no tensor in it, expected pairs of lora_A and lora_B; ${incomplete}`,
    ],
    [
      'another kind of tensor',
      (t) => (t.name === Q_A ? { ...t, name: Q_A.replace('lora_A.weight', 'lora_magnitude_vector') } : t),
      `lora_magnitude_vector is found, expected only lora_A.weight and lora_B.weight of linear modules of decoder layers; ${incomplete}`,
    ],
    [
      'another model’s modules',
      (t) => ({ ...t, name: t.name.replace('model.layers.', 'transformer.h.') }),
      'transformer.h.0.mlp.down_proj.lora_A.weight is found, expected only',
    ],
    [
      'one dimension',
      (t) => (t.name === Q_A ? { ...t, shape: [32 * 128] } : t),
      `${Q_A} is [4096], expected two dimensions`,
    ],
    [
      'a B of another rank',
      (t) => (t.name === tensorOf('0.self_attn.q_proj', 'B') ? { ...t, shape: [256, 16] } : t),
      `is [256, 16], expected [out, 32] ${mismatch}`,
    ],
  ])('%s', async (_, change, sentence) => {
    expect(await sentenceOf(changedTensors(v1(), FILE, change).then((files) => check(files)))).toContain(
      sentence,
    );
  });
});

describe('values that are not finite', () => {
  const decoder = parseDecoderConfig(
    parseJson(text(fixtureFiles('cases/recipe_text/base')['config.json'])),
    'config.json',
  );
  const halves = (t: TensorData): TensorData => ({
    ...t,
    dtype: 'BF16',
    data: t.data.filter((_, i) => i % 4 > 1),
  });
  const NAME = tensorOf('1.mlp.gate_proj', 'B');
  test.each<[string, (t: TensorData) => TensorData, number]>([
    ['NaN in f32', (t) => t, 0x7fc00000],
    ['−∞ in f32', (t) => t, 0xff800000],
    ['NaN in bf16', halves, 0x7f81],
    ['∞ in f16', (t) => ({ ...halves(t), dtype: 'F16', data: new Uint8Array(t.data.length / 2) }), 0x7c00],
  ])('%s is refused wherever an adapter is read, naming file and tensor', async (_, convert, bits) => {
    const sound = await changedTensors(v1(), FILE, convert);
    expect((await readAdapter(memoryFolder('v1', sound), decoder)).weights).toHaveLength(14);
    const files = await changedTensors(sound, FILE, (t) => (t.name === NAME ? withBits(t, 777, bits) : t));
    const index = [Math.floor(777 / 32), 777 % 32].join(', ');
    const sentence = `UserError: v1/${FILE}: ${NAME} holds a value that is not finite at [${index}], expected numbers; take an earlier checkpoint or another copy of the adapter.`;
    expect(await sentenceOf(readAdapter(memoryFolder('v1', files), decoder))).toBe(sentence);
    expect(await sentenceOf(check(files))).toBe(sentence);
  });
});
