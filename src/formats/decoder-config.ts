// References: transformers, src/transformers/modeling_rope_utils.py (_compute_llama3_parameters) and the
// configurations of models/qwen2, models/qwen3 and models/llama.
import { Fields, isRecord } from './fields.ts';
import { UserError } from './user-error.ts';

/** The supported families, by their model_type. */
export const FAMILIES = {
  qwen2: { name: 'Qwen2', architecture: 'Qwen2ForCausalLM', qkvBias: true, qkNorm: false },
  qwen3: { name: 'Qwen3', architecture: 'Qwen3ForCausalLM', qkvBias: false, qkNorm: true },
  llama: { name: 'Llama', architecture: 'LlamaForCausalLM', qkvBias: false, qkNorm: false },
} as const;
export type DecoderFamily = keyof typeof FAMILIES;

/** The architecture of a decoder, from a Hugging Face config.json. Sizes in elements. */
export interface DecoderConfig {
  readonly family: DecoderFamily;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  /** Number of query heads. */
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocabSize: number;
  readonly rmsNormEps: number;
  /** Whether the head is the embedding. */
  readonly tied: boolean;
  /** Bias on q, k and v (Qwen2). */
  readonly qkvBias: boolean;
  /** RMSNorm over headDim on q and k, before RoPE (Qwen3). */
  readonly qkNorm: boolean;
  readonly rope: RopeConfig;
  readonly maxPositions: number;
}

interface RopeConfig {
  readonly theta: number;
  /** Llama 3's scaling by wavelength. */
  readonly scaling?: {
    readonly factor: number;
    readonly lowFreqFactor: number;
    readonly highFreqFactor: number;
    readonly originalMaxPositions: number;
  };
}

const REMEDY = 'choose a Qwen2, Qwen2.5, Qwen3 or Llama base that has it';
const COUNT = { whole: true, min: 1 } as const;
/** transformers' default, which old Llama files omit. */
const DEFAULT_THETA = 10_000;

/** Reads a parsed config.json. Throws UserError naming the key of anything that this decoder does not support. */
export function parseDecoderConfig(json: unknown, file: string): DecoderConfig {
  const fields = new Fields(file, json, '', REMEDY);
  const family = readFamily(fields);
  const { qkvBias, qkNorm } = FAMILIES[family];
  refuseVariants(fields, family);
  const hiddenSize = fields.number('hidden_size', COUNT);
  const heads = fields.number('num_attention_heads', COUNT);
  const config: DecoderConfig = {
    family,
    hiddenSize,
    intermediateSize: fields.number('intermediate_size', COUNT),
    layers: fields.number('num_hidden_layers', COUNT),
    heads,
    kvHeads: fields.number('num_key_value_heads', COUNT, heads),
    headDim: fields.number('head_dim', COUNT, family === 'qwen3' ? 128 : Math.floor(hiddenSize / heads)),
    vocabSize: fields.number('vocab_size', COUNT),
    rmsNormEps: fields.number('rms_norm_eps', { above: 0, below: 1 }, 1e-6),
    tied: fields.boolean('tie_word_embeddings', false),
    qkvBias,
    qkNorm,
    rope: readRope(fields),
    maxPositions: fields.number('max_position_embeddings', COUNT),
  };
  checkWidths(config, file);
  return config;
}

/**
 * RoPE's angle per position for each pair (i, i + headDim/2) of a head: headDim/2 values in f64, in radians, with
 * Llama 3's scaling applied.
 */
export function ropeInverseFrequencies({ headDim, rope }: DecoderConfig): Float64Array {
  const { theta, scaling } = rope;
  return Float64Array.from({ length: headDim / 2 }, (_, i) => {
    const frequency = theta ** ((-2 * i) / headDim);
    if (!scaling) {
      return frequency;
    }
    const { factor, lowFreqFactor: low, highFreqFactor: high, originalMaxPositions } = scaling;
    const wavelength = (2 * Math.PI) / frequency;
    if (wavelength > originalMaxPositions / low) {
      return frequency / factor;
    }
    if (wavelength < originalMaxPositions / high) {
      return frequency;
    }
    const smooth = (originalMaxPositions / wavelength - low) / (high - low);
    return ((1 - smooth) * frequency) / factor + smooth * frequency;
  });
}

function readFamily(fields: Fields): DecoderFamily {
  const { architectures, model_type: type } = fields.values;
  const families = Object.keys(FAMILIES) as DecoderFamily[];
  const supported = `one of ${Object.values(FAMILIES)
    .map(({ architecture }) => architecture)
    .join(', ')}`;
  if (Array.isArray(architectures) && architectures.length > 0) {
    const family = families.find((name) => FAMILIES[name].architecture === architectures[0]);
    return family ?? fields.refuse('architectures', supported);
  }
  return families.find((name) => name === type) ?? fields.refuse('model_type', supported);
}

/** Refuses by name every switch of the three families that changes the computation. */
function refuseVariants(fields: Fields, family: DecoderFamily): void {
  fields.choice('hidden_act', ['silu'], 'silu');
  if (fields.boolean('use_sliding_window', false)) {
    fields.refuse('use_sliding_window', 'false');
  }
  const { layer_types: layerTypes } = fields.values;
  if (Array.isArray(layerTypes) && layerTypes.some((type) => type !== 'full_attention')) {
    fields.refuse('layer_types', 'full_attention only');
  }
  // Qwen2 always has q, k, v biases, and transformers does not read attention_bias for it.
  if (family !== 'qwen2' && fields.boolean('attention_bias', false)) {
    fields.refuse('attention_bias', 'false');
  }
  if (family === 'llama' && fields.boolean('mlp_bias', false)) {
    fields.refuse('mlp_bias', 'false');
  }
  if (fields.number('partial_rotary_factor', {}, 1) !== 1) {
    fields.refuse('partial_rotary_factor', '1');
  }
  if (fields.has('quantization_config')) {
    const quantization = fields.section('quantization_config');
    quantization.choice('quant_method', ['bitsandbytes']);
    if (!quantization.boolean('load_in_4bit', false)) {
      quantization.refuse('load_in_4bit', 'true');
    }
    quantization.choice('bnb_4bit_quant_type', ['nf4']);
  }
}

/**
 * Reads both spellings: `rope_parameters` since transformers 5, `rope_theta` with `rope_scaling` before. If a file
 * has both, transformers uses only rope_scaling and the outer rope_theta; a file whose two spellings disagree is
 * refused.
 */
function readRope(fields: Fields): RopeConfig {
  const spelt = ['rope_parameters', 'rope_scaling'].filter((key) => !fields.section(key).isEmpty());
  const [rope, other] = spelt.map((key) => readRopeSection(fields, key));
  if (other && JSON.stringify(other) !== JSON.stringify(rope)) {
    fields.refuse('rope_scaling', 'what rope_parameters says, rope_theta included');
  }
  return rope ?? { theta: fields.number('rope_theta', { above: 0 }, DEFAULT_THETA) };
}

function readRopeSection(fields: Fields, key: string): RopeConfig {
  const parameters = fields.section(key);
  const theta = (parameters.has('rope_theta') ? parameters : fields).number(
    'rope_theta',
    { above: 0 },
    DEFAULT_THETA,
  );
  if (Object.values(parameters.values).some(isRecord)) {
    fields.refuse(key, 'one set of parameters for all layers');
  }
  if (parameters.number('partial_rotary_factor', {}, 1) !== 1) {
    parameters.refuse('partial_rotary_factor', '1');
  }
  const typeKey = parameters.has('rope_type') ? 'rope_type' : 'type';
  if (parameters.choice(typeKey, ['default', 'llama3'], 'default') === 'default') {
    return { theta };
  }
  const lowFreqFactor = parameters.number('low_freq_factor', { above: 0 });
  // As in transformers, the outer one takes precedence.
  const original = 'original_max_position_embeddings';
  return {
    theta,
    scaling: {
      factor: parameters.number('factor', { min: 1 }),
      lowFreqFactor,
      highFreqFactor: parameters.number('high_freq_factor', { above: lowFreqFactor }),
      originalMaxPositions: (fields.has(original) ? fields : parameters).number(original, COUNT),
    },
  };
}

/** Codes are packed 32 to a vec4<u32> along a row, and heads are read as vec4. */
function checkWidths(config: DecoderConfig, file: string): void {
  const { hiddenSize, intermediateSize, heads, kvHeads, headDim } = config;
  const check = (ok: boolean, what: string, found: number, expected: string): void => {
    if (!ok) {
      throw new UserError(`${file}: ${what} is ${found}, expected ${expected}; ${REMEDY}.`);
    }
  };
  const product = 'num_attention_heads × head_dim';
  check(hiddenSize % 32 === 0, 'hidden_size', hiddenSize, 'a multiple of 32');
  check(intermediateSize % 32 === 0, 'intermediate_size', intermediateSize, 'a multiple of 32');
  check((heads * headDim) % 32 === 0, product, heads * headDim, 'a multiple of 32');
  check(headDim % 4 === 0 && headDim <= 128, 'head_dim', headDim, 'a multiple of 4 up to 128');
  check(heads % kvHeads === 0, 'num_key_value_heads', kvHeads, `a divisor of num_attention_heads, ${heads}`);
}
