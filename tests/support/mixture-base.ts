import type { Source } from '../../src/export/source.ts';
import { openBaseModel } from '../../src/formats/base-model.ts';
import type { ByteSource } from '../../src/formats/byte-source.ts';
import { parseDecoderConfig } from '../../src/formats/decoder-config.ts';
import { denseTensors, linearModules } from '../../src/formats/decoder-weights.ts';
import { safetensorsHeader } from '../../src/formats/safetensors-write.ts';
import { loadTokenizer } from '../../src/text/load-tokenizer.ts';
import { fixtureBytes, fixtureFiles, memoryFolder } from './memory-folder.ts';

/** A model of tests/fixtures/export/mixtures.json, which tests/reference/make_mixtures.py had llama.cpp quantize. */
export interface Mixture {
  family: 'qwen2' | 'qwen3' | 'llama';
  layers: number;
  hidden: number;
  intermediate: number;
  heads: number;
  kv_heads: number;
  tied: boolean;
  /** By what a weight does ("attn_v"): one type for all layers, or one of each. */
  types: Record<string, string>;
  /** Of the model whose blocks are compared: each weight's root of the mean squared error, by llama.cpp. */
  errors?: Record<string, number>;
}

export const MIXTURES = Object.entries(
  JSON.parse(new TextDecoder().decode(fixtureBytes('export/mixtures.json'))) as Record<string, Mixture>,
);

/** The model as an export reads it, with no adapter on it. */
export async function mixtureSource(mixture: Mixture): Promise<Source> {
  const { family } = mixture;
  const folder = memoryFolder('base', fixtureFiles('cases/recipe_text/base'));
  const json = configOf(mixture);
  const config = new TextEncoder().encode(JSON.stringify(json));
  const { tensors, values } = weightsOf(json);
  const header = safetensorsHeader(tensors);
  const total = tensors.reduce(
    (sum, { shape }) => sum + 4 * shape.reduce((all, n) => all * n),
    header.length,
  );
  // Where only types are compared, the weights are zeros that are nowhere stored.
  let weights: Map<number, Float32Array> | undefined;
  const file: ByteSource = {
    name: 'base/model.safetensors',
    size: total,
    read: (begin, into) => {
      into.fill(0);
      copy(header, begin, into);
      if (mixture.errors && begin >= header.length) {
        weights ??= values();
      }
      for (const [at, part] of weights ?? []) {
        copy(new Uint8Array(part.buffer), begin - header.length - at, into);
      }
      return Promise.resolve();
    },
  };
  const base = await openBaseModel({
    ...folder,
    open: async (name) =>
      name === 'model.safetensors'
        ? file
        : name === 'config.json'
          ? memoryFolder('base', { 'config.json': config }).open(name)
          : folder.open(name),
  });
  return {
    base,
    adapter: { config: { baseModelName: `${family}-mixture` }, sources: [] },
    adapterFolder: memoryFolder('v2', {}),
    onto: 'base',
    doubleQuant: true,
    baseHash: undefined,
    adapterHash: '',
    tokenizer: await loadTokenizer(folder),
    notes: [],
  } as unknown as Source;
}

function copy(bytes: Uint8Array, begin: number, into: Uint8Array): void {
  if (begin < bytes.length && begin + into.length > 0) {
    into.set(bytes.subarray(Math.max(0, begin), begin + into.length), Math.max(0, -begin));
  }
}

const configOf = (mixture: Mixture) => ({
  model_type: mixture.family,
  hidden_act: 'silu',
  hidden_size: mixture.hidden,
  intermediate_size: mixture.intermediate,
  num_hidden_layers: mixture.layers,
  num_attention_heads: mixture.heads,
  num_key_value_heads: mixture.kv_heads,
  head_dim: 64,
  max_position_embeddings: 512,
  rms_norm_eps: 1e-6,
  rope_theta: 10_000,
  tie_word_embeddings: mixture.tied,
  vocab_size: 448,
  eos_token_id: 0,
});

/** Every tensor in f32, and the values of those with two dimensions by where they begin. */
function weightsOf(json: object) {
  const config = parseDecoderConfig(json, 'config.json');
  const dense = [...denseTensors(config)];
  const linear = linearModules(config).map(({ name, shape }) => [`${name}.weight`, shape] as const);
  const all = [
    ...dense.filter(([, shape]) => shape.length === 2),
    ...linear,
    ...dense.filter(([, shape]) => shape.length === 1),
  ];
  return {
    tensors: all.map(([name, shape]) => ({ name, dtype: 'F32' as const, shape })),
    values: () => {
      const found = new Map<number, Float32Array<ArrayBuffer>>();
      let at = 0;
      for (const [seed, [, shape]] of all.entries()) {
        const count = shape.reduce((product, n) => product * n, 1);
        found.set(at, shape.length === 2 ? weights(count, seed) : new Float32Array(count).fill(1));
        at += 4 * count;
      }
      return found;
    },
  };
}

/** The same as in make_mixtures.py. */
function weights(count: number, seed: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: count }, (_, i) => {
    const [a, b] = [hashed(i, 2 * seed), hashed(i, 2 * seed + 1)];
    return ((a & 0xffff) + (a >>> 16) + (b & 0xffff) + (b >>> 16) - 131_070) * 2 ** -22;
  });
}

function hashed(i: number, seed: number): number {
  let h = (2 * i + seed * 0x9e3779b9) >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
