import { type BaseModel, linearSource } from '../../../formats/base-model.ts';
import type { LinearModule } from '../../../formats/decoder-weights.ts';
import { DYNAMIC_BLOCK } from '../../../formats/nf4.ts';
import type { TensorInfo } from '../../../formats/safetensors.ts';
import type { DenseFormat } from '../../../gpu/kernels/linear/nf4-operands.ts';
import type { FloatFormat } from '../../../gpu/kernels/shared/float-format.ts';
import type { WeightStorage } from '../../weights.ts';

/** The storage formats of floats, by safetensors' names. */
export const FORMATS: Readonly<Partial<Record<string, FloatFormat>>> = {
  BF16: 'bf16',
  F16: 'f16',
  F32: 'f32',
};

/** The storage format of a tensor of 16- or 32-bit floats; base-model.ts has checked that it is one. */
export function formatOf(info: TensorInfo): FloatFormat {
  return FORMATS[info.dtype]!;
}

/** The table that serves as the output head. */
export const headTensor = (model: BaseModel): TensorInfo =>
  model.tensors.get(model.config.tied ? 'model.embed_tokens.weight' : 'lm_head.weight')!;

/** How each linear weight will be stored: as in the checkpoint, or as the recipe requests. */
export function weightStorage(model: BaseModel, doubleQuant: boolean) {
  return ({ name }: LinearModule): WeightStorage => {
    const source = linearSource(model, name);
    if (source.kind === 'kept') {
      return { format: formatOf(source.weight) as DenseFormat };
    }
    if (source.kind === 'nf4') {
      return source.nested ? { nestedBlock: source.nested.blocksize } : {};
    }
    return doubleQuant ? { nestedBlock: DYNAMIC_BLOCK } : {};
  };
}
