import type { DecoderConfig } from './decoder-config.ts';

/** The linear modules of a decoder layer, in the order used everywhere. */
export const PROJECTIONS = [
  'q_proj',
  'k_proj',
  'v_proj',
  'o_proj',
  'gate_proj',
  'up_proj',
  'down_proj',
] as const;

export type Projection = (typeof PROJECTIONS)[number];

const ATTENTION: ReadonlySet<Projection> = new Set(['q_proj', 'k_proj', 'v_proj', 'o_proj']);

export interface LinearModule {
  readonly layer: number;
  readonly projection: Projection;
  /** As in "model.layers.0.self_attn.q_proj": the weight's name without ".weight". */
  readonly name: string;
  /** [N, K]: output and input features. */
  readonly shape: readonly [number, number];
}

/** Every linear module of the decoder layers: by layer, then in the order of PROJECTIONS. */
export function linearModules(config: DecoderConfig): LinearModule[] {
  return Array.from({ length: config.layers }, (_, layer) =>
    PROJECTIONS.map((projection) => ({
      layer,
      projection,
      name: moduleName(layer, projection),
      shape: linearShape(config, projection),
    })),
  ).flat();
}

/** As in "model.layers.0.self_attn.q_proj". */
export function moduleName(layer: number, projection: Projection): string {
  return `model.layers.${layer}.${ATTENTION.has(projection) ? 'self_attn' : 'mlp'}.${projection}`;
}

/** [N, K] of a linear module's weight: output and input features. */
function linearShape(config: DecoderConfig, projection: Projection): readonly [number, number] {
  const { hiddenSize, intermediateSize, heads, kvHeads, headDim } = config;
  switch (projection) {
    case 'q_proj':
      return [heads * headDim, hiddenSize];
    case 'k_proj':
    case 'v_proj':
      return [kvHeads * headDim, hiddenSize];
    case 'o_proj':
      return [hiddenSize, heads * headDim];
    case 'gate_proj':
    case 'up_proj':
      return [intermediateSize, hiddenSize];
    case 'down_proj':
      return [hiddenSize, intermediateSize];
  }
}

/** Name and shape of every tensor that is never quantized: embedding, norms, biases, untied head. */
export function* denseTensors(config: DecoderConfig): Generator<[name: string, shape: readonly number[]]> {
  const { hiddenSize, vocabSize, heads, kvHeads, headDim } = config;
  yield ['model.embed_tokens.weight', [vocabSize, hiddenSize]];
  for (let layer = 0; layer < config.layers; layer++) {
    const prefix = `model.layers.${layer}`;
    yield [`${prefix}.input_layernorm.weight`, [hiddenSize]];
    yield [`${prefix}.post_attention_layernorm.weight`, [hiddenSize]];
    if (config.qkvBias) {
      yield [`${prefix}.self_attn.q_proj.bias`, [heads * headDim]];
      yield [`${prefix}.self_attn.k_proj.bias`, [kvHeads * headDim]];
      yield [`${prefix}.self_attn.v_proj.bias`, [kvHeads * headDim]];
    }
    if (config.qkNorm) {
      yield [`${prefix}.self_attn.q_norm.weight`, [headDim]];
      yield [`${prefix}.self_attn.k_norm.weight`, [headDim]];
    }
  }
  yield ['model.norm.weight', [hiddenSize]];
  if (!config.tied) {
    yield ['lm_head.weight', [vocabSize, hiddenSize]];
  }
}

/** How many numbers the model's weights are. */
export const parameterCount = (config: DecoderConfig): number =>
  [
    ...linearModules(config).map(({ shape }) => shape),
    ...[...denseTensors(config)].map(([, shape]) => shape),
  ].reduce((sum, shape) => sum + shape.reduce((all, n) => all * n, 1), 0);
