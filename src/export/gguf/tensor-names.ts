// Reference: llama.cpp, gguf-py/gguf/tensor_mapping.py.
import type { DecoderConfig } from '../../formats/decoder-config.ts';
import type { Role } from './tensor-types.ts';

const OUTSIDE: Readonly<Record<string, string>> = {
  'model.embed_tokens.weight': 'token_embd.weight',
  'model.norm.weight': 'output_norm.weight',
  'lm_head.weight': 'output.weight',
};

const IN_LAYER: Readonly<Record<string, string>> = {
  input_layernorm: 'attn_norm',
  post_attention_layernorm: 'ffn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'self_attn.q_norm': 'attn_q_norm',
  'self_attn.k_norm': 'attn_k_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
};

const LAYER = /^model\.layers\.(\d+)\.(.+)\.(weight|bias)$/;

/** llama.cpp's name of a tensor. */
export function ggufName(name: string): string {
  const [, layer, module, part] = LAYER.exec(name) ?? [];
  return module === undefined ? OUTSIDE[name]! : `blk.${layer}.${IN_LAYER[module]!}.${part}`;
}

/** What a tensor does, and in which layer; 0 outside the layers. */
export function roleOf(name: string): { role: Role; layer: number } {
  const [, layer, module] = LAYER.exec(name) ?? [];
  if (module === undefined) {
    const roles: Readonly<Record<string, Role>> = {
      'model.embed_tokens.weight': 'embedding',
      'lm_head.weight': 'head',
    };
    return { role: roles[name] ?? 'other', layer: 0 };
  }
  const roles: Readonly<Record<string, Role>> = { 'self_attn.v_proj': 'attn_v', 'mlp.down_proj': 'ffn_down' };
  return { role: roles[module] ?? 'other', layer: Number(layer) };
}

/** Whether a tensor's rows have another order in llama.cpp: q and k of Llama. */
export const isInterleaved = (name: string, { family }: DecoderConfig): boolean =>
  family === 'llama' && /\.[qk]_proj\./.test(name);
