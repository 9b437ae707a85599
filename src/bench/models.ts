import { freshAdapter } from '../formats/adapter.ts';
import type { BaseModel } from '../formats/base-model.ts';
import { bytesSource } from '../formats/byte-source.ts';
import { parseDecoderConfig } from '../formats/decoder-config.ts';
import { denseTensors, linearModules } from '../formats/decoder-weights.ts';
import { defaultRecipe } from '../formats/recipe.ts';
import type { TensorInfo } from '../formats/safetensors.ts';
import type { SessionInputs } from '../run/session.ts';

/** Shapes of models, from their config.json. */
const SHAPES = {
  tiny: [64, 160, 2, 4, 2, 512],
  '0.5b': [896, 4864, 24, 14, 2, 151936],
  '1.5b': [1536, 8960, 28, 12, 2, 151936],
  '3b': [2048, 11008, 36, 16, 2, 151936],
} as const;
export type ModelName = keyof typeof SHAPES;
export const MODELS = Object.keys(SHAPES) as ModelName[];

/** Their names in tables. */
export const modelTitle = (name: ModelName): string =>
  name === 'tiny' ? 'tiny' : `Qwen2.5-${name.toUpperCase()}`;

/** Lengths of the single rows measured for each model; the tiny one is for devices that compute on the CPU. */
export const modelTokens = (name: ModelName): readonly number[] =>
  name === 'tiny' ? [64] : [128, 512, 1024, 2048];

/** The config.json of a model, or of its first `layers` with a vocabulary reduced in proportion. */
export function modelConfig(name: ModelName, layers: number = SHAPES[name][2]): Record<string, unknown> {
  const [hidden, intermediate, all, heads, kvHeads, vocab] = SHAPES[name];
  return {
    architectures: ['Qwen2ForCausalLM'],
    hidden_size: hidden,
    intermediate_size: intermediate,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    vocab_size: Math.ceil((vocab * layers) / all),
    tie_word_embeddings: true,
    rope_theta: 1e6,
    rms_norm_eps: 1e-6,
    max_position_embeddings: 32768,
  };
}

/** A base of this shape without files: headers, no data. */
export function benchModel(name: ModelName, layers?: number): BaseModel {
  const config = parseDecoderConfig(modelConfig(name, layers), name);
  const source = bytesSource(name, new Uint8Array());
  const tensors = new Map<string, TensorInfo>();
  let begin = 0;
  const add = (tensor: string, shape: readonly number[]) => {
    const end = begin + 2 * shape.reduce((product, n) => product * n, 1);
    tensors.set(tensor, { name: tensor, dtype: 'BF16', shape, source, begin, end });
    begin = end;
  };
  for (const [tensor, shape] of denseTensors(config)) {
    add(tensor, shape);
  }
  for (const module of linearModules(config)) {
    add(`${module.name}.weight`, module.shape);
  }
  const folder = {
    name,
    list: () => Promise.resolve<string[]>([]),
    open: () => Promise.resolve(undefined),
  };
  return {
    folder,
    config,
    notes: [],
    untied: false,
    tensors,
    eosIds: [],
    quantized: false,
    nf4: new Map(),
    kept: new Set(),
    weightFiles: [],
    configFile: source,
  };
}

/**
 * A fresh adapter of the recipe (rank 32 on all seven projections) on such a base, for rows of up to `longest`
 * tokens.
 */
export function benchInputs(name: ModelName, longest: number, stepTargets: number): SessionInputs {
  const model = benchModel(name);
  const recipe = defaultRecipe();
  const adapter = freshAdapter(recipe.lora, model.config, recipe.seed, name);
  return { model, adapter, longest, stepTargets, inputs: { recipe } };
}
