// Reference: bitsandbytes, bitsandbytes/functional.py (QuantState).
import { Fields } from './fields.ts';
import { JsonError, parseJson } from './json.ts';
import { NF4_BLOCK, NF4_CODES } from './nf4.ts';
import { type Dtype, readTensor, readTensorF32, showShape, type TensorInfo } from './safetensors.ts';
import { UserError } from './user-error.ts';
import { decodeUtf8 } from './utf8.ts';

/** The tensors of one quantized weight of a bitsandbytes NF4 checkpoint. */
export interface Nf4Source {
  readonly kind: 'nf4';
  /**
   * Two codes per byte, the even one in the high bits; the dtype is bnb_4bit_quant_storage, usually U8, and has no
   * meaning.
   */
  readonly packed: TensorInfo;
  /** F32, or U8 codes if `nested`; one per 64 values. */
  readonly absmax: TensorInfo;
  readonly nested?: {
    /** F32, one per `blocksize` absmax values. */
    readonly absmax: TensorInfo;
    /** F32 [256]. */
    readonly map: TensorInfo;
    readonly offset: number;
    readonly blocksize: number;
  };
  readonly blocksize: typeof NF4_BLOCK;
  /** F32 [16], checked to be NF4's codes. */
  readonly map: TensorInfo;
  /** [N, K]: output and input features. */
  readonly shape: readonly [number, number];
}

const STATE = '.quant_state.bitsandbytes__';
const REMEDY = 'download or export the base again';

/**
 * The NF4 parts of `weight` (a name ending in .weight), checked against `shape`; undefined if it has no quant_state
 * key and is therefore dense. Throws UserError for fp4, and for missing or invalid parts.
 */
export async function readNf4Source(
  tensors: ReadonlyMap<string, TensorInfo>,
  weight: string,
  shape: readonly [number, number],
): Promise<Nf4Source | undefined> {
  const other = tensors.get(`${weight}${STATE}fp4`);
  if (other) {
    throw new UserError(
      `${other.source.name}: ${weight} is quantized as fp4, expected nf4; choose an NF4, bf16 or f16 version of the base.`,
    );
  }
  const stateTensor = tensors.get(`${weight}${STATE}nf4`);
  if (!stateTensor) {
    return undefined;
  }
  const part = (name: string, dtype: Dtype, elements: number): TensorInfo =>
    checkPart(tensors, name, dtype, elements, stateTensor);

  const state = await readState(stateTensor);
  state.choice('quant_type', ['nf4']);
  if (state.number('blocksize', {}) !== NF4_BLOCK) {
    state.refuse('blocksize', String(NF4_BLOCK));
  }
  if (JSON.stringify(state.values['shape']) !== JSON.stringify(shape)) {
    state.refuse('shape', `${showShape(shape)} by config.json`);
  }
  const values = shape[0] * shape[1];
  const blocks = Math.ceil(values / NF4_BLOCK);
  const nested = state.has('nested_blocksize');
  const map = part(`${weight}.quant_map`, 'F32', NF4_CODES.length);
  if ((await readTensorF32(map)).some((code, i) => code !== NF4_CODES[i])) {
    throw new UserError(`${map.source.name}: ${map.name} is not the NF4 table; ${REMEDY}.`);
  }
  const source = {
    kind: 'nf4',
    packed: checkPacked(tensors.get(weight), weight, values / 2, stateTensor),
    absmax: part(`${weight}.absmax`, nested ? 'U8' : 'F32', blocks),
    blocksize: NF4_BLOCK,
    map,
    shape,
  } as const;
  if (!nested) {
    return source;
  }
  const blocksize = state.number('nested_blocksize', { whole: true, min: 1 });
  state.choice('nested_dtype', ['float32'], 'float32');
  return {
    ...source,
    nested: {
      absmax: part(`${weight}.nested_absmax`, 'F32', Math.ceil(blocks / blocksize)),
      map: part(`${weight}.nested_quant_map`, 'F32', 256),
      offset: Math.fround(state.number('nested_offset', {})),
      blocksize,
    },
  };
}

async function readState(tensor: TensorInfo): Promise<Fields> {
  const where = `${tensor.source.name}: ${tensor.name}`;
  const text = decodeUtf8(await readTensor(tensor)) ?? '';
  try {
    return new Fields(where, parseJson(text), '', REMEDY);
  } catch (error) {
    if (!(error instanceof JsonError)) {
      throw error;
    }
    throw new UserError(`${where} does not hold JSON (${error.message}); ${REMEDY}.`);
  }
}

/** Codes stored with another dtype are the same bytes. */
function checkPacked(
  tensor: TensorInfo | undefined,
  name: string,
  bytes: number,
  state: TensorInfo,
): TensorInfo {
  if (!tensor) {
    throw missingPart(name, state);
  }
  if (tensor.end - tensor.begin === bytes) {
    return tensor;
  }
  throw new UserError(
    `${tensor.source.name}: ${name} is ${tensor.dtype} ${showShape(tensor.shape)}, ${tensor.end - tensor.begin} bytes, expected ${bytes} bytes of 4-bit codes; ${REMEDY}.`,
  );
}

const missingPart = (name: string, state: TensorInfo) =>
  new UserError(`${state.source.name}: ${name} is missing, though ${state.name} is there; ${REMEDY}.`);

function checkPart(
  tensors: ReadonlyMap<string, TensorInfo>,
  name: string,
  dtype: Dtype,
  elements: number,
  state: TensorInfo,
): TensorInfo {
  const tensor = tensors.get(name);
  if (!tensor) {
    throw missingPart(name, state);
  }
  const found = tensor.shape.reduce((product, size) => product * size, 1);
  if (tensor.dtype !== dtype || found !== elements) {
    throw new UserError(
      `${tensor.source.name}: ${name} is ${tensor.dtype} ${showShape(tensor.shape)}, expected ${dtype} of ${elements} values; ${REMEDY}.`,
    );
  }
  return tensor;
}
