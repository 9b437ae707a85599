import { describe, expect, test } from 'vitest';
import { parseDecoderConfig, ropeInverseFrequencies } from '../../../src/formats/decoder-config.ts';
import { parseJson } from '../../../src/formats/json.ts';
import { fixtureBytes } from '../../support/memory-folder.ts';

const qwen25 = {
  architectures: ['Qwen2ForCausalLM'],
  model_type: 'qwen2',
  hidden_act: 'silu',
  hidden_size: 1536,
  intermediate_size: 8960,
  max_position_embeddings: 32768,
  num_attention_heads: 12,
  num_hidden_layers: 28,
  num_key_value_heads: 2,
  rms_norm_eps: 1e-6,
  rope_theta: 1000000.0,
  sliding_window: 32768,
  tie_word_embeddings: true,
  torch_dtype: 'bfloat16',
  use_sliding_window: false,
  vocab_size: 151936,
};
const qwen3 = {
  ...qwen25,
  architectures: ['Qwen3ForCausalLM'],
  attention_bias: false,
  head_dim: 128,
  hidden_size: 1024,
  num_attention_heads: 16,
  num_key_value_heads: 8,
};
const llama = {
  architectures: ['LlamaForCausalLM'],
  attention_bias: false,
  mlp_bias: false,
  hidden_size: 2048,
  intermediate_size: 8192,
  max_position_embeddings: 131072,
  num_attention_heads: 32,
  num_hidden_layers: 16,
  num_key_value_heads: 8,
  rms_norm_eps: 1e-5,
  rope_theta: 500000.0,
  rope_scaling: {
    factor: 32.0,
    high_freq_factor: 4.0,
    low_freq_factor: 1.0,
    original_max_position_embeddings: 8192,
    rope_type: 'llama3',
  },
  tie_word_embeddings: true,
  vocab_size: 128256,
};
const parse = (config: Record<string, unknown>) => parseDecoderConfig(config, 'config.json');

describe('families', () => {
  test('Qwen2.5: bias on q, k, v; head_dim from the widths', () => {
    expect(parse(qwen25)).toEqual({
      family: 'qwen2',
      hiddenSize: 1536,
      intermediateSize: 8960,
      layers: 28,
      heads: 12,
      kvHeads: 2,
      headDim: 128,
      vocabSize: 151936,
      rmsNormEps: 1e-6,
      tied: true,
      qkvBias: true,
      qkNorm: false,
      rope: { theta: 1e6 },
      maxPositions: 32768,
    });
  });

  test('Qwen3: q and k norms, heads × head_dim other than hidden', () => {
    expect(parse(qwen3)).toMatchObject({
      family: 'qwen3',
      qkvBias: false,
      qkNorm: true,
      heads: 16,
      headDim: 128,
    });
    expect(parse({ ...qwen3, head_dim: undefined }).headDim).toBe(128);
  });

  test('Llama: no bias, one kv head per head and no tie where the keys are absent', () => {
    expect(parse(llama)).toMatchObject({ family: 'llama', qkvBias: false, qkNorm: false, headDim: 64 });
    const bare = { ...llama, num_key_value_heads: undefined, tie_word_embeddings: undefined };
    expect(parse(bare)).toMatchObject({ kvHeads: 32, tied: false });
  });

  test('model_type decides where architectures is absent', () => {
    expect(parse({ ...llama, architectures: undefined, model_type: 'llama' }).family).toBe('llama');
  });

  test('the fixture of transformers 5, with rope_parameters', () => {
    const text = new TextDecoder().decode(fixtureBytes('cases/recipe_text/base/config.json'));
    expect(parseDecoderConfig(parseJson(text), 'config.json')).toMatchObject({
      family: 'qwen2',
      rope: { theta: 1e6 },
      headDim: 32,
      tied: true,
    });
  });
});

describe('RoPE', () => {
  const scaling = { factor: 32, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositions: 8192 };

  test('old and new spelling mean the same', () => {
    const { rope_theta, rope_scaling, ...rest } = llama;
    const rope = { theta: 5e5, scaling };
    expect(parse(llama).rope).toEqual(rope);
    expect(parse({ ...rest, rope_parameters: { ...rope_scaling, rope_theta } }).rope).toEqual(rope);
    expect(parse({ ...rest, rope_scaling: null }).rope).toEqual({ theta: 10000 });
    expect(parse({ ...llama, rope_scaling: { type: 'default' } }).rope).toEqual({ theta: 5e5 });
  });

  // What transformers 5.18 makes of each was run: where the two keys disagree, it goes by rope_scaling alone.
  describe('rope_parameters and rope_scaling side by side', () => {
    const { rope_theta: theta, rope_scaling: llama3, ...rest } = llama;
    const rope_parameters = { ...llama3, rope_theta: theta };
    test.each([
      ['the same, rope_theta outside', { rope_parameters, rope_scaling: llama3, rope_theta: theta }],
      ['the same, rope_theta in both', { rope_parameters, rope_scaling: rope_parameters }],
      ['an empty rope_scaling', { rope_parameters, rope_scaling: {}, rope_theta: 1e4 }],
      ['a null rope_scaling', { rope_parameters, rope_scaling: null, rope_theta: 1e4 }],
      ['empty rope_parameters', { rope_parameters: {}, rope_scaling: llama3, rope_theta: theta }],
    ])('%s: taken', (_, keys) => {
      expect(parse({ ...rest, ...keys }).rope).toEqual({ theta: 5e5, scaling });
    });

    const plain = { rope_type: 'default', rope_theta: theta };
    const same = 'expected what rope_parameters says, rope_theta included; choose';
    test.each([
      [
        'another kind that is not supported',
        { rope_parameters: plain, rope_scaling: { rope_type: 'yarn', factor: 4 } },
        'rope_scaling.rope_type is "yarn", expected one of default, llama3',
      ],
      ['scaling of a default', { rope_parameters: plain, rope_scaling: llama3, rope_theta: theta }, same],
      [
        'a default of scaling',
        { rope_parameters, rope_scaling: { type: 'default' }, rope_theta: theta },
        `rope_scaling is {"type":"default"}, ${same}`,
      ],
      [
        'another factor',
        { rope_parameters, rope_scaling: { ...llama3, factor: 8 }, rope_theta: theta },
        `"factor":8`,
      ],
      ['a rope_theta that rope_scaling does not have', { rope_parameters, rope_scaling: llama3 }, same],
    ])('%s: refused', (_, keys, sentence) => {
      expect(() => parse({ ...rest, ...keys })).toThrow(sentence);
    });
  });

  test('original_max_position_embeddings outside counts, as in transformers', () => {
    expect(parse({ ...llama, original_max_position_embeddings: 4096 }).rope.scaling).toEqual({
      ...scaling,
      originalMaxPositions: 4096,
    });
  });

  test('inverse frequencies equal those of transformers, in f32 there', () => {
    const expected = JSON.parse(new TextDecoder().decode(fixtureBytes('formats/rope.json'))) as Record<
      string,
      number[]
    >;
    for (const [name, config] of Object.entries({ qwen25, llama })) {
      const ours = ropeInverseFrequencies(parse(config));
      expect(ours).toHaveLength(expected[name]!.length);
      ours.forEach((value, i) => expect(value / expected[name]![i]! - 1).toBeCloseTo(0, 6));
    }
    const middle = ropeInverseFrequencies(parse(llama))[16]!;
    expect(middle).toBeGreaterThan(5e5 ** -0.5 / 32);
    expect(middle).toBeLessThan(5e5 ** -0.5);
  });
});

describe('refusals', () => {
  const supported = 'one of Qwen2ForCausalLM, Qwen3ForCausalLM, LlamaForCausalLM';
  test.each([
    [
      { ...qwen25, architectures: ['MistralForCausalLM'] },
      `architectures is ["MistralForCausalLM"], expected ${supported}`,
    ],
    [
      { ...qwen25, architectures: undefined, model_type: 'gemma2' },
      `model_type is "gemma2", expected ${supported}`,
    ],
    [{ ...qwen25, architectures: [], model_type: undefined }, 'model_type is missing'],
    [{ ...qwen25, hidden_act: 'gelu' }, 'hidden_act is "gelu", expected silu'],
    [{ ...qwen25, use_sliding_window: true }, 'use_sliding_window is true, expected false'],
    [{ ...qwen25, layer_types: ['full_attention', 'sliding_attention'] }, 'expected full_attention only'],
    [{ ...llama, attention_bias: true }, 'attention_bias is true, expected false'],
    [{ ...llama, mlp_bias: true }, 'mlp_bias is true, expected false'],
    [
      { ...llama, rope_scaling: { type: 'yarn', factor: 4 } },
      'rope_scaling.type is "yarn", expected one of default, llama3',
    ],
    [{ ...llama, rope_scaling: { rope_type: 'llama3' } }, 'rope_scaling.low_freq_factor is missing'],
    [
      { ...llama, rope_scaling: { ...llama.rope_scaling, high_freq_factor: 1 } },
      'high_freq_factor is 1, expected a number above 1',
    ],
    [{ ...llama, rope_parameters: { full_attention: { rope_theta: 1 } } }, 'expected one set of parameters'],
    [{ ...llama, partial_rotary_factor: 0.5 }, 'partial_rotary_factor is 0.5, expected 1'],
    [
      { ...qwen25, quantization_config: { quant_method: 'gptq' } },
      'quant_method is "gptq", expected bitsandbytes',
    ],
    [
      { ...qwen25, quantization_config: { quant_method: 'bitsandbytes', load_in_8bit: true } },
      'quantization_config.load_in_4bit is missing, expected true',
    ],
    [
      {
        ...qwen25,
        quantization_config: { quant_method: 'bitsandbytes', load_in_4bit: true, bnb_4bit_quant_type: 'fp4' },
      },
      'bnb_4bit_quant_type is "fp4", expected nf4',
    ],
    [{ ...qwen25, hidden_size: 'big' }, 'hidden_size is "big", expected a whole number at least 1'],
    [{ ...qwen25, hidden_size: undefined }, 'hidden_size is missing'],
    [{ ...qwen25, rms_norm_eps: 0 }, 'rms_norm_eps is 0, expected a number above 0 and below 1'],
    [{ ...qwen25, tie_word_embeddings: 1 }, 'tie_word_embeddings is 1, expected true or false'],
    [{ ...qwen25, hidden_size: 1544 }, 'hidden_size is 1544, expected a multiple of 32'],
    [{ ...qwen25, intermediate_size: 8968 }, 'intermediate_size is 8968, expected a multiple of 32'],
    [{ ...qwen25, head_dim: 36 }, 'num_attention_heads × head_dim is 432, expected a multiple of 32'],
    [{ ...qwen25, head_dim: 256 }, 'head_dim is 256, expected a multiple of 4 up to 128'],
    [
      { ...qwen25, num_attention_heads: 16, head_dim: 66 },
      'head_dim is 66, expected a multiple of 4 up to 128',
    ],
    [
      { ...qwen25, num_key_value_heads: 5 },
      'num_key_value_heads is 5, expected a divisor of num_attention_heads, 12',
    ],
  ])('%#', (config: Record<string, unknown>, sentence) => {
    expect(() => parse(config)).toThrow(sentence);
    expect(() => parse(config)).toThrow(/^config\.json: .*; choose a Qwen2, Qwen2\.5, Qwen3 or Llama base/);
  });

  test('a file that is not an object', () => {
    expect(() => parseDecoderConfig([], 'config.json')).toThrow(
      'config.json: it holds [], expected keys and values',
    );
  });
});
