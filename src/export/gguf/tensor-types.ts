// Reference: llama.cpp, src/llama-quant.cpp (which type each tensor gets, fallbacks) and include/llama.h (file types).
import type { DecoderConfig } from '../../formats/decoder-config.ts';
import { GGML_TYPES, type GgmlType } from './file.ts';

/** The types of a GGUF file's weights, with llama.cpp's number for the whole file. */
export const GGUF_TYPES = { f32: 0, f16: 1, q8_0: 7, q4_k_m: 15, bf16: 32 } as const;
export type GgufType = keyof typeof GGUF_TYPES;

/** What a weight does, as far as its type depends on it. */
export type Role = 'embedding' | 'head' | 'attn_v' | 'ffn_down' | 'other';

/** The type of a weight of two dimensions; all others are f32. */
export function weightType(
  type: GgufType,
  role: Role,
  columns: number,
  layer: number,
  config: DecoderConfig,
): GgmlType {
  if (type !== 'q4_k_m') {
    return ({ f32: 'F32', f16: 'F16', bf16: 'BF16', q8_0: 'Q8_0' } as const)[type];
  }
  const wanted = mixed(role, columns, layer, config);
  // Widths that are no multiple of a super-block have types of blocks of 32.
  return columns % GGML_TYPES[wanted].block === 0 ? wanted : (FALLBACKS[wanted] ?? 'F16');
}

const FALLBACKS: Readonly<Partial<Record<GgmlType, GgmlType>>> = { Q4_K: 'Q5_0', Q5_K: 'Q5_1', Q6_K: 'Q8_0' };

function mixed(role: Role, columns: number, layer: number, config: DecoderConfig): GgmlType {
  const { layers, tied } = config;
  if (role === 'head' || (role === 'embedding' && tied)) {
    return columns % GGML_TYPES.Q4_K.block === 0 ? 'Q6_K' : 'Q8_0';
  }
  if ((role === 'attn_v' || role === 'ffn_down') && hasMoreBits(layer, layers)) {
    return 'Q6_K';
  }
  // The v of a model of 70 billion parameters is shared by eight heads: small, and worth a bit more.
  return role === 'attn_v' && isLarge(config) ? 'Q5_K' : 'Q4_K';
}

/** The first and the last eighth of the layers, and every third between. */
function hasMoreBits(layer: number, layers: number): boolean {
  const eighth = Math.floor(layers / 8);
  return layer < eighth || layer >= Math.floor((7 * layers) / 8) || (layer - eighth) % 3 === 2;
}

const isLarge = ({ family, layers, heads, kvHeads }: DecoderConfig): boolean =>
  layers === 80 && (family === 'qwen2' || (family === 'llama' && heads !== kvHeads));
