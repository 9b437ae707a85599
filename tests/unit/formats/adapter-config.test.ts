import { describe, expect, test } from 'vitest';
import {
  newAdapterConfig,
  parseAdapterConfig,
  writeAdapterConfig,
} from '../../../src/formats/adapter-config.ts';
import { parseDecoderConfig } from '../../../src/formats/decoder-config.ts';
import { parseJson } from '../../../src/formats/json.ts';
import { loraModules } from '../../../src/formats/lora-modules.ts';
import { fixtureBytes } from '../../support/memory-folder.ts';

const text = (path: string) => new TextDecoder().decode(fixtureBytes(path));
const FIXTURE = text('cases/recipe_text/v1/adapter_config.json');
const plain = { peft_type: 'LORA', r: 8, lora_alpha: 12, target_modules: ['q_proj', 'v_proj'] };
const parse = (config: Record<string, unknown>) => parseAdapterConfig(config, 'v1/adapter_config.json');

interface Way {
  config: Record<string, unknown>;
  modules: [name: string, r: number, scaling: number, inFeatures: number, outFeatures: number][];
}
const peft = JSON.parse(text('formats/peft-modules.json')) as { base: unknown; ways: Way[] };
const decoder = parseDecoderConfig(peft.base, 'config.json');

describe('reading', () => {
  test('PEFT’s file', () => {
    expect(parseAdapterConfig(parseJson(FIXTURE, { keepFloats: true }), 'f')).toMatchObject({
      r: 32,
      loraAlpha: 64,
      loraDropout: 0,
      useRslora: false,
      baseModelName: 'toy/recipe_text',
      layersToTransform: undefined,
    });
  });

  test('the four required keys are enough', () => {
    expect(parse(plain)).toMatchObject({ r: 8, loraAlpha: 12, loraDropout: 0, baseModelName: undefined });
  });

  test.each([
    ['peft_type', 'IA3', 'peft_type is "IA3", expected LORA'],
    ['peft_type', undefined, 'peft_type is missing, expected LORA'],
    ['r', undefined, 'r is missing, expected a whole number at least 1'],
    ['r', 0, 'r is 0, expected a whole number at least 1'],
    ['lora_alpha', 'much', 'lora_alpha is "much", expected a number above 0'],
    ['lora_dropout', 1, 'lora_dropout is 1, expected a number at least 0 and below 1'],
    ['target_modules', undefined, 'target_modules is missing, expected a list of names or one text'],
    ['target_modules', [], 'target_modules is [], expected a list of names or one text'],
    ['target_modules', [1], 'target_modules is [1], expected a list of names or one text'],
    ['use_dora', true, 'use_dora is true, expected it to be unset'],
    ['bias', 'all', 'bias is "all", expected none'],
    ['lora_bias', true, 'lora_bias is true, expected it to be unset'],
    ['layer_replication', [[0, 2]], 'layer_replication is [[0,2]], expected it to be unset'],
    ['fan_in_fan_out', true, 'fan_in_fan_out is true, expected it to be unset'],
    ['trainable_token_indices', [1], 'trainable_token_indices is [1], expected it to be unset'],
    ['target_parameters', ['x'], 'target_parameters is ["x"], expected it to be unset'],
    ['use_qalora', true, 'use_qalora is true, expected it to be unset'],
    ['alora_invocation_tokens', [5], 'alora_invocation_tokens is [5], expected it to be unset'],
    [
      'init_lora_weights',
      'pissa_niter_4',
      'init_lora_weights is "pissa_niter_4", expected true, false, gaussian',
    ],
    ['init_lora_weights', 'olora', 'init_lora_weights is "olora"'],
    ['init_lora_weights', 'corda', 'init_lora_weights is "corda"'],
    ['init_lora_weights', 'loftq', 'init_lora_weights is "loftq"'],
    ['rank_pattern', { q_proj: 0 }, 'rank_pattern.q_proj is 0, expected a whole number at least 1'],
    ['alpha_pattern', [], 'alpha_pattern is [], expected keys and values'],
    ['layers_to_transform', ['a'], 'layers_to_transform is ["a"], expected layer numbers'],
  ])('%s %o', (key, value, sentence) => {
    expect(() => parse({ ...plain, [key]: value })).toThrow(`v1/adapter_config.json: ${sentence}`);
    expect(() => parse({ ...plain, [key]: value })).toThrow('; Retune continues plain LoRA adapters only');
  });

  test('modules that were trained whole, with the way on', () => {
    expect(() => parse({ ...plain, modules_to_save: ['lm_head'] })).toThrow(
      'v1/adapter_config.json: modules_to_save is ["lm_head"], expected it to be unset: these modules were trained whole, and only LoRA pairs are trained here; merge the adapter into its base with PEFT\'s merge_and_unload, save that as a base, and start a fresh adapter on it.',
    );
  });

  test('layers_to_transform beside one string, as PEFT refuses it', () => {
    const config = { ...plain, target_modules: 'all-linear', layers_to_transform: 1 };
    expect(() => parse(config)).toThrow('layers_to_transform is 1, expected it to be unset beside');
  });
});

describe('writing', () => {
  test('PEFT’s file comes back byte for byte, floats and unknown keys too', () => {
    const config = parseAdapterConfig(parseJson(FIXTURE, { keepFloats: true }), 'f');
    expect(writeAdapterConfig(config)).toBe(FIXTURE);
    const odd = FIXTURE.replace('{', '{\n  "0_new": {\n    "x": 1.0\n  },').replace(
      '"inference_mode": true',
      '"inference_mode": false',
    );
    const written = writeAdapterConfig(parseAdapterConfig(parseJson(odd, { keepFloats: true }), 'f'));
    expect(written).toBe(odd.replace('"inference_mode": false', '"inference_mode": true'));
  });

  test('integers beyond a double keep their digits', () => {
    const odd = FIXTURE.replace('{', '{\n  "0_new": 123456789012345678901,');
    const config = parseAdapterConfig(parseJson(odd, { keepFloats: true }), 'f');
    expect(writeAdapterConfig(config)).toBe(odd);
    const huge = FIXTURE.replace(/"r": \d+/, '"r": 9007199254740993');
    expect(() => parseAdapterConfig(parseJson(huge, { keepFloats: true }), 'f')).toThrow(
      'f: r is 9007199254740993, expected a whole number at least 1; ',
    );
  });

  test('patterns keep their order, since the first that matches counts', () => {
    const pattern = { v_proj: 4, '.*proj': 8 };
    const json = { ...(JSON.parse(FIXTURE) as object), rank_pattern: pattern, alpha_pattern: pattern };
    const text = writeAdapterConfig(parseAdapterConfig(json, 'f'));
    const again = parseAdapterConfig(parseJson(text, { keepFloats: true }), 'f');
    expect([...again.rankPattern]).toEqual(Object.entries(pattern));
    expect([...again.alphaPattern]).toEqual(Object.entries(pattern));
  });

  test('a new configuration is the one that PEFT would write', () => {
    const { target_modules } = JSON.parse(FIXTURE) as { target_modules: string[] };
    const settings = {
      r: 32,
      loraAlpha: 64,
      loraDropout: 0,
      useRslora: false,
      targetModules: target_modules,
    };
    expect(writeAdapterConfig(newAdapterConfig(settings, 'toy/recipe_text'))).toBe(FIXTURE);
  });
});

describe('adapted modules', () => {
  test.each(peft.ways.map((way): [string, Way] => [JSON.stringify(way.config), way]))(
    'as PEFT resolves %s',
    (_, { config, modules }) => {
      const ours = loraModules(parse({ ...plain, ...config }), decoder);
      expect(ours.map((m) => [m.name, m.r, m.scaling, m.inFeatures, m.outFeatures])).toEqual(modules);
    },
  );

  test('order is by layer, then q, k, v, o, gate, up, down, whatever the list says', () => {
    const ours = loraModules(parse({ ...plain, target_modules: ['down_proj', 'o_proj', 'q_proj'] }), decoder);
    expect(ours.slice(0, 4).map((m) => `${m.layer} ${m.projection}`)).toEqual([
      '0 q_proj',
      '0 o_proj',
      '0 down_proj',
      '1 q_proj',
    ]);
  });

  test.each([
    [
      { target_modules: ['lm_head', 'q_proj'] },
      'target_modules is ["lm_head","q_proj"] and includes lm_head',
    ],
    [{ target_modules: '.*' }, 'target_modules is ".*" and includes lm_head'],
    [{ target_modules: ['embed_tokens'] }, 'includes model.embed_tokens'],
    [{ target_modules: ['c_attn'] }, 'target_modules is ["c_attn"] and matches no module of the base'],
    [{ target_modules: '(?i)Q_PROJ' }, 'target_modules is "(?i)Q_PROJ", expected a regular expression that'],
    [{ rank_pattern: { '(': 3 } }, 'expected a regular expression that JavaScript can read'],
  ])('refuses %o', (change, sentence) => {
    expect(() => loraModules(parse({ ...plain, ...change }), decoder)).toThrow(sentence);
  });

  const layers = '(?:self_attn|attention|attn|mlp|feed_forward|ffn|dense)';
  const linear = '(?:k_proj|v_proj|q_proj|out_proj|fc1|fc2|o_proj|gate_proj|up_proj|down_proj)';
  const deep = { ...decoder, layers: 126 };
  test.each([
    // Unsloth's, Axolotl's and ms-swift's.
    `(?:.*?(?:language|text).*?${layers}.*?${linear}.*?)|(?:\\bmodel\\.layers\\.[\\d]{1,}\\.${layers}\\.(?:${linear}))`,
    'model.layers.[\\d]+.(mlp|cross_attn|self_attn).(up|down|gate|q|k|v|o)_proj',
    '^(?!.*(?:lm_head|output|emb|vision_tower)).*(?:q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)$',
    '^(language_model|model)(?=\\.).*\\.(o_proj|k_proj|q_proj|v_proj|gate_proj|up_proj|down_proj)$',
  ])('%s chooses all modules of 126 layers', (target_modules) => {
    expect(loraModules(parse({ ...plain, target_modules }), deep)).toHaveLength(126 * 7);
  });

  test('a rank for each of 882 modules', () => {
    const names = loraModules(parse({ ...plain, target_modules: 'all-linear' }), deep).map(
      ({ name }) => name,
    );
    const rank_pattern = Object.fromEntries(names.map((name, i) => [name, 1 + i]));
    const ours = loraModules(parse({ ...plain, target_modules: 'all-linear', rank_pattern }), deep);
    expect(ours.map(({ r }) => r)).toEqual(names.map((_, i) => 1 + i));
  });

  test.each([
    [{ target_modules: '(([a-z._0-9]+)+)+!' }, 'it takes too long to match module names against it'],
    [{ target_modules: '(.*)*(.*)*(.*)*(.*)*x' }, 'it takes too long to match module names against it'],
    [{ target_modules: 'q_proj|'.repeat(15_000) }, 'it has 105000 characters, more than 20000'],
    [{ target_modules: 'q'.repeat(100_000) }, 'it has 100000 characters, more than 20000'],
    [{ target_modules: '(a)\\1' }, 'it refers back to a group'],
    [{ target_modules: 'q_proj)|(k_proj' }, 'Unmatched'],
    [
      { rank_pattern: { '([a-z._0-9]+)+!': 3 } },
      'rank_pattern is "([a-z._0-9]+)+!", expected a regular expression',
    ],
    [
      { exclude_modules: '(\\w+\\.?)+!' },
      'exclude_modules is "(\\\\w+\\\\.?)+!", expected a regular expression',
    ],
    [
      { layers_to_transform: [0], layers_pattern: ['([a-z._0-9]+)+!'] },
      'layers_pattern is "([a-z._0-9]+)+!", expected a regular expression',
    ],
    [
      { rank_pattern: Object.fromEntries(Array.from({ length: 5001 }, (_, i) => [`m${i}`, 1])) },
      'has 5,001 keys, expected at most 5,000',
    ],
  ])('bounds what hostile expressions cost: %.60o', (change, sentence) => {
    expect(() => loraModules(parse({ ...plain, ...change }), decoder)).toThrow(sentence);
  });
});
