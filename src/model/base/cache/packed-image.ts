import { createXXHash64 } from 'hash-wasm';
import type { ByteSource } from '../../../formats/byte-source.ts';
import { PROJECTIONS } from '../../../formats/decoder-weights.ts';
import { type Dtype, openSafetensors, showShape } from '../../../formats/safetensors.ts';
import { safetensorsHeader } from '../../../formats/safetensors-write.ts';
import type { Gpu } from '../../../gpu/device.ts';
import type { Nf4Weight } from '../../../gpu/kernels/linear/nf4-operands.ts';
import type { Table } from '../../../gpu/kernels/lm-head/lm-head.ts';
import { type BufferView, view } from '../../../gpu/memory.ts';
import { Readback } from '../../../gpu/readback.ts';
import { Stream } from '../../../gpu/stream.ts';
import type { DecoderWeights } from '../../weights.ts';
import { verbatim } from '../read/ingest.ts';
import { CHUNK_BYTES } from '../read/read-ahead.ts';
import type { Wanted } from '../read/read-plan.ts';
import { Upload } from '../read/upload.ts';

/** What is stored under a tensor's name in the image. */
interface ImageTensor {
  name: string;
  dtype: Dtype;
  shape: readonly number[];
  view: BufferView;
}

/** The one tensor that is not on the device: offsets of double-quantized scales, f32, 0 for weights without one. */
const OFFSETS = 'nested_offsets';
const DTYPES = { bf16: 'BF16', f16: 'F16', f32: 'F32' } as const;

/** Everything of a base that came from files, as laid out on the device. */
export function imageTensors(weights: DecoderWeights): ImageTensor[] {
  const tensors = [...table('embedding', weights.embedding)];
  if (weights.head !== weights.embedding) {
    tensors.push(...table('head', weights.head));
  }
  const add = (name: string, dtype: 'F32' | 'U32', of: BufferView | undefined): void => {
    if (of) {
      tensors.push({ name, dtype, shape: [of.size / 4], view: of });
    }
  };
  add('norm', 'F32', weights.finalNorm);
  for (const [i, layer] of weights.layers.entries()) {
    const { inputNorm, postNorm, qNorm, kNorm, linear } = layer;
    for (const [name, norm] of Object.entries({ inputNorm, postNorm, qNorm, kNorm })) {
      add(`layers.${i}.${name}`, 'F32', norm);
    }
    for (const projection of PROJECTIONS) {
      const { weight, bias } = linear[projection];
      if ('format' in weight) {
        const { values, format, columns, depth } = weight;
        const name = `layers.${i}.${projection}.weight`;
        tensors.push({ name, dtype: DTYPES[format], shape: [columns, depth], view: values });
      } else {
        add(`layers.${i}.${projection}.codes`, 'U32', weight.codes);
        add(`layers.${i}.${projection}.scales`, weight.nested ? 'U32' : 'F32', weight.scales);
      }
      add(`layers.${i}.${projection}.bias`, 'F32', bias);
    }
  }
  return tensors;
}

function table(name: string, { parts, format, width }: Table): ImageTensor[] {
  return parts.map((part, i) => ({
    name: `${name}.${i}`,
    dtype: DTYPES[format],
    shape: [part.count, width],
    view: part.view,
  }));
}

/** The double quantization of each linear weight's scales, if it has one. */
const nestedScales = ({ layers }: DecoderWeights): Nf4Weight['nested'][] =>
  layers.flatMap(({ linear }) =>
    PROJECTIONS.map((projection) => {
      const { weight } = linear[projection];
      return 'format' in weight ? undefined : weight.nested;
    }),
  );

const offsetsOf = (weights: DecoderWeights): Float32Array<ArrayBuffer> =>
  Float32Array.from(nestedScales(weights), (nested) => nested?.offset ?? 0);

/** An image that does not fit the base, or is not what was written. */
export class DamagedImage extends Error {}

/**
 * Writes a loaded base as one safetensors file, piece by piece; resolves to a checksum of its tensors. `onProgress`
 * in bytes.
 */
export async function writeImage(
  gpu: Gpu,
  weights: DecoderWeights,
  write: (bytes: Uint8Array<ArrayBuffer>) => Promise<void>,
  onProgress: (done: number, total: number) => void,
): Promise<string> {
  const tensors = imageTensors(weights);
  const offsets = offsetsOf(weights);
  const hash = await createXXHash64();
  const total = tensors.reduce((sum, { view: { size } }) => sum + size, offsets.byteLength);
  let done = 0;
  const append = async (bytes: Uint8Array<ArrayBuffer>) => {
    hash.update(bytes);
    await write(bytes);
    onProgress((done += bytes.length), total);
  };
  await write(
    safetensorsHeader([...tensors, { name: OFFSETS, dtype: 'F32', shape: [offsets.length] }], {
      format: 'retune-base',
    }),
  );
  const stream = new Stream(gpu);
  // While one batch is written, the next one is read back from the device.
  const readbacks = [0, 1].map(() => new Readback(gpu, 'image', CHUNK_BYTES));
  try {
    const batches = batchesOf(tensors);
    const read = (n: number) => {
      const reading = batches[n] && readbacks[n % 2]!.read(stream, ...batches[n]);
      reading?.catch(() => undefined);
      return reading;
    };
    let reading = read(0);
    for (let n = 0; n < batches.length; n++) {
      const bytes = await reading!;
      reading = read(n + 1);
      await append(bytes as Uint8Array<ArrayBuffer>);
    }
  } finally {
    for (const readback of readbacks) {
      readback.close();
    }
    stream.close();
  }
  await append(new Uint8Array(offsets.buffer));
  return hash.digest();
}

/** The tensors' bytes in order, in batches of at most CHUNK_BYTES. */
function batchesOf(tensors: readonly ImageTensor[]): BufferView[][] {
  const batches: BufferView[][] = [];
  let room = 0;
  for (const { view: whole } of tensors) {
    for (let at = 0; at < whole.size;) {
      if (room === 0) {
        batches.push([]);
        room = CHUNK_BYTES;
      }
      const size = Math.min(room, whole.size - at);
      batches.at(-1)!.push(view(whole.buffer, whole.offset + at, size));
      at += size;
      room -= size;
    }
  }
  return batches;
}

/**
 * Fills a base's buffers from its image. Throws DamagedImage if the image has another layout or its bytes do not
 * match `checksum`.
 */
export async function readImage(
  gpu: Gpu,
  weights: DecoderWeights,
  image: ByteSource,
  checksum: string,
  onProgress: (done: number, total: number) => void,
): Promise<void> {
  const { tensors: found } = await openSafetensors(image);
  const hash = await createXXHash64();
  const offsets = offsetsOf(weights);
  const wanted: Wanted[] = [];
  const want = (name: string, dtype: Dtype, shape: readonly number[], of: (at: Wanted) => Wanted['take']) => {
    const info = found.get(name);
    if (info?.dtype !== dtype || showShape(info.shape) !== showShape(shape)) {
      throw new DamagedImage(`${image.name}: ${name} is not what this base needs`);
    }
    const range = { ...info, unit: 4, take: () => undefined };
    const take = of(range);
    wanted.push({
      ...range,
      take: (at, bytes, staged) => {
        hash.update(bytes);
        take(at, bytes, staged);
      },
    });
  };
  const upload = new Upload(gpu);
  try {
    for (const { name, dtype, shape, view: to } of imageTensors(weights)) {
      want(name, dtype, shape, (range) => verbatim(upload, range, to.buffer, to.offset).take);
    }
    want(
      OFFSETS,
      'F32',
      [offsets.length],
      () => (at, bytes) => new Uint8Array(offsets.buffer).set(bytes, at),
    );
    if (found.size !== wanted.length) {
      throw new DamagedImage(`${image.name}: ${found.size} tensors, expected ${wanted.length}`);
    }
    const total = wanted.reduce((sum, { begin, end }) => sum + end - begin, 0);
    let done = 0;
    await upload.run(wanted, (bytes) => onProgress((done += bytes), total));
  } finally {
    upload.close();
  }
  if (hash.digest() !== checksum) {
    throw new DamagedImage(`${image.name}: its bytes have changed`);
  }
  for (const [i, nested] of nestedScales(weights).entries()) {
    if (nested) {
      nested.offset = offsets[i]!;
    }
  }
}
