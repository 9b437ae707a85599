import { type BaseModel, type LinearSource, linearSource } from '../../../formats/base-model.ts';
import { type LinearModule, linearModules } from '../../../formats/decoder-weights.ts';
import { doubleQuantize, signedDynamicMap } from '../../../formats/nf4.ts';
import type { Nf4Source } from '../../../formats/nf4-checkpoint.ts';
import { decodeF32, type TensorInfo } from '../../../formats/safetensors.ts';
import { nf4Quantize, nf4Repack } from '../../../gpu/kernels/linear/nf4.ts';
import type { LinearWeight, Nf4Weight } from '../../../gpu/kernels/linear/nf4-operands.ts';
import type { Table } from '../../../gpu/kernels/lm-head/lm-head.ts';
import { type BufferView, type GpuBuffer, view } from '../../../gpu/memory.ts';
import { readOnce } from '../../../gpu/readback.ts';
import { type DecoderWeights, FORMAT_BYTES } from '../../weights.ts';
import type { Wanted } from './read-plan.ts';
import { formatOf, FORMATS, headTensor } from './tensor-format.ts';
import { type Upload, upload } from './upload.ts';

/** Bytes of codes that the repacking kernel processes together. */
const CODE_GROUP = 16;

/** Every tensor that the decoder needs, and what to do with its bytes on the way into `weights`. */
export function baseTensors(to: Upload, model: BaseModel, weights: DecoderWeights): Wanted[] {
  const { config } = model;
  const named = (name: string): TensorInfo => model.tensors.get(name)!;
  const wanted = [
    ...tableRows(to, named('model.embed_tokens.weight'), weights.embedding),
    ...(config.tied ? [] : tableRows(to, headTensor(model), weights.head)),
    floats(to, named('model.norm.weight'), weights.finalNorm),
  ];
  for (const [i, layer] of weights.layers.entries()) {
    const prefix = `model.layers.${i}`;
    const norms: [BufferView | undefined, string][] = [
      [layer.inputNorm, `${prefix}.input_layernorm.weight`],
      [layer.postNorm, `${prefix}.post_attention_layernorm.weight`],
      [layer.qNorm, `${prefix}.self_attn.q_norm.weight`],
      [layer.kNorm, `${prefix}.self_attn.k_norm.weight`],
    ];
    for (const [norm, name] of norms) {
      if (norm) {
        wanted.push(floats(to, named(name), norm));
      }
    }
  }
  for (const module of linearModules(config)) {
    const { weight, bias } = weights.layers[module.layer]!.linear[module.projection];
    if (bias) {
      wanted.push(floats(to, named(`${module.name}.bias`), bias));
    }
    wanted.push(...linear(to, model, module, weight));
  }
  return wanted;
}

function linear(to: Upload, model: BaseModel, module: LinearModule, weight: LinearWeight): Wanted[] {
  const source = linearSource(model, module.name);
  if ('format' in weight) {
    const { values } = weight;
    const { weight: kept } = source as Exclude<LinearSource, Nf4Source>;
    return [checked(to, kept, values.buffer)];
  }
  return source.kind === 'nf4'
    ? packed(to, source, weight)
    : [
        weight.nested
          ? quantizedTwice(to, source.weight, weight)
          : quantized(to, source.weight, weight, weight.scales),
      ];
}

/** A table's rows, copied unchanged, part by part. */
function tableRows(to: Upload, info: TensorInfo, { parts, format, width }: Table): Wanted[] {
  const row = width * FORMAT_BYTES[format];
  return parts.map(({ begin, count, view: { buffer } }) =>
    checked(to, info, buffer, 0, [begin * row, (begin + count) * row]),
  );
}

/** Bytes `of` a tensor copied unchanged to byte `offset` of the buffer, where floats are checked. */
function checked(
  to: Upload,
  info: TensorInfo,
  buffer: GpuBuffer,
  offset = 0,
  [from, until] = [0, info.end - info.begin],
): Wanted {
  const range = { source: info.source, begin: info.begin + from, end: info.begin + until };
  const copied = verbatim(to, range, buffer, offset);
  const format = FORMATS[info.dtype];
  if (!format) {
    return copied;
  }
  const size = FORMAT_BYTES[format];
  const take: Wanted['take'] = (at, bytes, staged) => {
    copied.take(at, bytes, staged);
    const piece = { info, first: (from + at) / size, count: bytes.length / size };
    to.finite.look(piece, format, buffer, offset + at);
  };
  return { ...copied, take };
}

/** Bytes copied unchanged, to byte `offset` of the buffer. */
export function verbatim(
  { stream }: Upload,
  { source, begin, end }: Pick<TensorInfo, 'source' | 'begin' | 'end'>,
  buffer: GpuBuffer,
  offset = 0,
): Wanted {
  const take: Wanted['take'] = (at, _, staged) => stream.copy(staged, view(buffer, offset + at, staged.size));
  return { source, begin, end, unit: 4, take };
}

/** Norms and biases, converted to f32. */
function floats({ gpu, finite }: Upload, info: TensorInfo, { buffer }: BufferView): Wanted {
  const size = FORMAT_BYTES[formatOf(info)];
  return {
    ...info,
    unit: size,
    take: (at, bytes) => {
      const first = at / size;
      const values = decodeF32(info, bytes);
      upload(gpu, buffer, 4 * first, new Uint8Array(values.buffer));
      finite.look({ info, first, count: values.length }, 'f32', buffer, 4 * first);
    },
  };
}

/** A dense weight, quantized while loading; its scales go to `absmax`. */
function quantized(to: Upload, info: TensorInfo, weight: Nf4Weight, absmax: BufferView): Wanted {
  const { codes, columns, depth } = weight;
  const format = formatOf(info);
  const unit = 64 * FORMAT_BYTES[format];
  return {
    ...info,
    unit,
    take: (at, bytes, staged) => {
      const source = to.stage(staged);
      const run = { blocks: bytes.length / unit, firstBlock: at / unit, columns, depth };
      nf4Quantize(to.stream, { source, format, codes, absmax, ...run });
      const piece = { info, first: 64 * run.firstBlock, count: 64 * run.blocks };
      to.finite.look(piece, format, source.buffer, source.offset);
    },
  };
}

/**
 * A dense weight whose scales are quantized too: they are read back once complete, without delaying the next
 * chunks.
 */
function quantizedTwice(to: Upload, info: TensorInfo, weight: Nf4Weight): Wanted {
  const bytes = (4 * weight.columns * weight.depth) / 64;
  let absmax: GpuBuffer | undefined;
  const size = info.end - info.begin;
  return {
    ...info,
    unit: 64 * FORMAT_BYTES[formatOf(info)],
    take: (at, piece, staged) => {
      absmax ??= to.gpu.memory.allocate('absmax', 'working activations', bytes);
      quantized(to, info, weight, view(absmax)).take(at, piece, staged);
      if (at + piece.length === size) {
        to.later(quantizeScales(to, absmax, weight));
      }
    },
  };
}

async function quantizeScales({ gpu, stream }: Upload, absmax: GpuBuffer, weight: Nf4Weight): Promise<void> {
  const values = new Float32Array((await readOnce(stream, view(absmax))).buffer);
  gpu.memory.free(absmax);
  const { codes, absmax2, offset } = doubleQuantize(values);
  const nested = weight.nested!;
  const { buffer } = weight.scales;
  upload(gpu, buffer, 0, codes);
  upload(gpu, buffer, 4 * nested.absmaxAt, new Uint8Array(absmax2.buffer));
  upload(gpu, buffer, 4 * nested.mapAt, new Uint8Array(signedDynamicMap().buffer));
  nested.offset = offset;
}

/** A weight that is NF4 already: its codes are reordered, its scales copied unchanged. */
function packed(to: Upload, source: Nf4Source, weight: Nf4Weight): Wanted[] {
  const { codes, columns, depth, nested } = weight;
  const { buffer } = weight.scales;
  const repacked: Wanted = {
    ...source.packed,
    unit: CODE_GROUP,
    take: (at, bytes, staged) => {
      const run = { groups: bytes.length / CODE_GROUP, firstGroup: at / CODE_GROUP, columns, depth };
      nf4Repack(to.stream, { source: to.stage(staged), codes, ...run });
    },
  };
  const scales = [checked(to, source.absmax, buffer)];
  if (source.nested && nested) {
    const { absmax, map, offset } = source.nested;
    nested.offset = offset;
    scales.push(checked(to, absmax, buffer, 4 * nested.absmaxAt), checked(to, map, buffer, 4 * nested.mapAt));
  }
  return [repacked, ...scales];
}
