import { linearSource, type BaseModel } from '../formats/base-model.ts';
import { ropeInverseFrequencies } from '../formats/decoder-config.ts';
import { DYNAMIC_BLOCK, doubleQuantise, signedDynamicMap } from '../formats/nf4.ts';
import { readTensor, readTensorF32, type TensorInfo } from '../formats/safetensors.ts';
import type { Gpu } from '../gpu/device.ts';
import type { Table } from '../gpu/kernels/head.ts';
import type { FloatFormat } from '../gpu/kernels/float-format.ts';
import { nf4Quantise, nf4Repack, type Nf4Weight } from '../gpu/kernels/nf4.ts';
import { ropeTable } from '../gpu/kernels/rope.ts';
import { view, type GpuBuffer } from '../gpu/memory.ts';
import { readOnce } from '../gpu/readback.ts';
import { Stream } from '../gpu/stream.ts';
import { allocate, type Allocations } from './allocations.ts';
import {
  FORMAT_BYTES,
  linearAllocations,
  nestedLayout,
  outerAllocations,
  smallAllocations,
  tableParts,
  type DecoderWeights,
  type LayerWeights,
  type Linear,
  type ScaleStorage,
} from './weights.ts';
import { linearModules, type LinearModule, type Projection } from '../formats/decoder-weights.ts';

export interface LoadOptions {
  /** Quantise the scales too (bnb_4bit_use_double_quant); a pre-quantised base keeps what it has. */
  doubleQuant: boolean;
  /** Rows of the rotary table: the longest sequence that will be seen. */
  positions: number;
  /** Bytes of weights read so far and in all. */
  onProgress?: (done: number, total: number) => void;
}

/** Bytes read, uploaded and quantised at a time. */
const CHUNK_BYTES = 2 ** 24;

const FORMATS: Readonly<Record<string, FloatFormat>> = { BF16: 'bf16', F16: 'f16', F32: 'f32' };

/** How a tensor of 16- or 32-bit floats is stored; base-model.ts has checked that it is one. */
export function formatOf(info: TensorInfo): FloatFormat {
  return FORMATS[info.dtype]!;
}

/** The table that serves as output head. */
export const headTensor = (model: BaseModel): TensorInfo =>
  model.tensors.get(model.config.tied ? 'model.embed_tokens.weight' : 'lm_head.weight')!;

/** How each weight's scales will be stored: as the checkpoint has them, or as the recipe asks. */
export function scaleStorage(model: BaseModel, doubleQuant: boolean) {
  return ({ name }: LinearModule): ScaleStorage => {
    const source = linearSource(model, name);
    if (source.kind === 'nf4') return source.nested ? { nestedBlock: source.nested.blocksize } : {};
    return doubleQuant ? { nestedBlock: DYNAMIC_BLOCK } : {};
  };
}

/** Streams a base to the device, tensor by tensor, its linear layers quantised to NF4 on the way. */
export async function loadBase(gpu: Gpu, model: BaseModel, options: LoadOptions): Promise<DecoderWeights> {
  const loader = new Loader(gpu, model, options);
  try {
    return await loader.load();
  } finally {
    loader.close();
  }
}

type SmallBuffers = Record<'inputNorm' | 'postNorm', GpuBuffer> &
  Partial<Record<'qNorm' | 'kNorm' | Projection, GpuBuffer>>;

class Loader {
  readonly #gpu: Gpu;
  readonly #model: BaseModel;
  readonly #options: LoadOptions;
  readonly #stream: Stream;
  readonly #staging: GpuBuffer;
  readonly #host = new Uint8Array(CHUNK_BYTES);
  readonly #total: number;
  #done = 0;

  constructor(gpu: Gpu, model: BaseModel, options: LoadOptions) {
    this.#gpu = gpu;
    this.#model = model;
    this.#options = options;
    this.#stream = new Stream(gpu);
    this.#staging = gpu.memory.allocate('loading', 'working activations', CHUNK_BYTES);
    this.#total = [...model.tensors.values()].reduce((sum, t) => sum + t.end - t.begin, 0);
  }

  close(): void {
    this.#gpu.memory.free(this.#staging);
    this.#stream.close();
  }

  async load(): Promise<DecoderWeights> {
    const { config } = this.#model;
    const embeddingInfo = this.#model.tensors.get('model.embed_tokens.weight')!;
    const headInfo = headTensor(this.#model);
    const sets = outerAllocations(
      config,
      formatOf(embeddingInfo),
      formatOf(headInfo),
      this.#options.positions,
    );
    const embedding = await this.#table(embeddingInfo, sets.embedding);
    const head = config.tied ? embedding : await this.#table(headInfo, sets.head);
    const other = allocate(this.#gpu.memory, sets.other);
    await this.#floats('model.norm.weight', other.finalNorm);
    const table = ropeTable(ropeInverseFrequencies(config), this.#options.positions);
    this.#gpu.device.queue.writeBuffer(other.rope.raw, 0, table as Float32Array<ArrayBuffer>);
    const layers: LayerWeights[] = [];
    const modules = linearModules(config);
    for (let layer = 0; layer < config.layers; layer++)
      layers.push(
        await this.#layer(
          layer,
          modules.filter((m) => m.layer === layer),
        ),
      );
    await this.#stream.finish();
    return { config, layers, embedding, head, finalNorm: view(other.finalNorm), rope: view(other.rope) };
  }

  async #layer(layer: number, modules: LinearModule[]): Promise<LayerWeights> {
    const prefix = `model.layers.${layer}`;
    const small = allocate(this.#gpu.memory, smallAllocations(this.#model.config)) as SmallBuffers;
    const names: [keyof SmallBuffers, string][] = [
      ['inputNorm', `${prefix}.input_layernorm.weight`],
      ['postNorm', `${prefix}.post_attention_layernorm.weight`],
      ['qNorm', `${prefix}.self_attn.q_norm.weight`],
      ['kNorm', `${prefix}.self_attn.k_norm.weight`],
      ...modules.map((m): [Projection, string] => [m.projection, `${m.name}.bias`]),
    ];
    for (const [key, name] of names) if (small[key]) await this.#floats(name, small[key]);
    const linear = {} as Record<Projection, Linear>;
    for (const module of modules) {
      const bias = small[module.projection];
      linear[module.projection] = { weight: await this.#linear(module), bias: bias && view(bias) };
    }
    const { inputNorm, postNorm, qNorm, kNorm } = small;
    return {
      inputNorm: view(inputNorm),
      postNorm: view(postNorm),
      qNorm: qNorm && view(qNorm),
      kNorm: kNorm && view(kNorm),
      linear,
    };
  }

  async #linear(module: LinearModule): Promise<Nf4Weight> {
    const [columns, depth] = module.shape;
    const storage = scaleStorage(this.#model, this.#options.doubleQuant)(module);
    const source = linearSource(this.#model, module.name);
    const buffers = allocate(this.#gpu.memory, linearAllocations(module, storage));
    const codes = view(buffers.codes);
    const scales = view(buffers.scales);
    const { nestedBlock } = storage;
    const blocks = (columns * depth) / 64;
    if (source.kind === 'nf4') {
      await this.#chunks(source.packed, (at, bytes) => {
        const run = { groups: bytes / 16, firstGroup: at / 16, columns, depth };
        nf4Repack(this.#stream, { source: view(this.#staging), codes, ...run });
      });
      if (!source.nested || !nestedBlock) {
        this.#write(buffers.scales, 0, await this.#bytes(source.absmax));
        return { columns, depth, codes, scales };
      }
      const nested = {
        codes: await this.#bytes(source.absmax),
        absmax2: await this.#bytes(source.nested.absmax),
        map: await this.#bytes(source.nested.map),
        offset: source.nested.offset,
      };
      return {
        columns,
        depth,
        codes,
        scales,
        nested: this.#nested(buffers.scales, nested, blocks, nestedBlock),
      };
    }
    const format = formatOf(source.weight);
    const absmax = nestedBlock
      ? this.#gpu.memory.allocate('absmax', 'working activations', 4 * blocks)
      : buffers.scales;
    await this.#chunks(source.weight, (at, bytes) => {
      const perBlock = 64 * FORMAT_BYTES[format];
      const run = { blocks: bytes / perBlock, firstBlock: at / perBlock, columns, depth };
      nf4Quantise(this.#stream, { source: view(this.#staging), format, codes, absmax: view(absmax), ...run });
    });
    if (!nestedBlock) return { columns, depth, codes, scales };
    const values = new Float32Array((await readOnce(this.#stream, view(absmax))).buffer);
    this.#gpu.memory.free(absmax);
    const twice = doubleQuantise(values);
    const nested = {
      codes: twice.codes,
      absmax2: new Uint8Array(twice.absmax2.buffer),
      map: new Uint8Array(signedDynamicMap().buffer),
      offset: twice.offset,
    };
    return {
      columns,
      depth,
      codes,
      scales,
      nested: this.#nested(buffers.scales, nested, blocks, nestedBlock),
    };
  }

  /** Writes double-quantised scales in the order of nestedLayout. */
  #nested(
    to: GpuBuffer,
    from: { codes: Uint8Array; absmax2: Uint8Array; map: Uint8Array; offset: number },
    blocks: number,
    nestedBlock: number,
  ): NonNullable<Nf4Weight['nested']> {
    const { absmaxAt, mapAt, words } = nestedLayout(blocks, nestedBlock);
    const bytes = new Uint8Array(4 * words);
    bytes.set(from.codes);
    bytes.set(from.absmax2, 4 * absmaxAt);
    bytes.set(from.map, 4 * mapAt);
    this.#write(to, 0, bytes);
    return { absmaxAt, mapAt, shift: Math.log2(nestedBlock), offset: from.offset };
  }

  async #table(info: TensorInfo, set: Allocations): Promise<Table> {
    const [vocab, width] = info.shape as [number, number];
    const format = formatOf(info);
    const buffers = Object.values(allocate(this.#gpu.memory, set));
    const parts = tableParts(vocab, width, format).map((part, i) => ({ ...part, view: view(buffers[i]!) }));
    for (const { view: to, begin, count } of parts) {
      const row = width * FORMAT_BYTES[format];
      const range = { ...info, begin: info.begin + begin * row, end: info.begin + (begin + count) * row };
      await this.#chunks(range, (at, bytes) => {
        const from = { buffer: this.#staging, offset: 0, size: bytes };
        this.#stream.copy(from, { buffer: to.buffer, offset: at, size: bytes });
      });
    }
    return { parts, format, vocab, width };
  }

  /** Reads a tensor in chunks, uploads each to the staging buffer and lets `use` append what is done with it. */
  async #chunks(info: TensorInfo, use: (at: number, bytes: number) => void): Promise<void> {
    const size = info.end - info.begin;
    for (let at = 0; at < size; at += CHUNK_BYTES) {
      const bytes = this.#host.subarray(0, Math.min(CHUNK_BYTES, size - at));
      await info.source.read(info.begin + at, bytes);
      this.#stream.submit();
      this.#write(this.#staging, 0, bytes);
      use(at, bytes.length);
      this.#stream.submit();
      await this.#gpu.device.queue.onSubmittedWorkDone();
      this.#progress(bytes.length);
    }
  }

  async #bytes(info: TensorInfo): Promise<Uint8Array> {
    this.#progress(info.end - info.begin);
    return readTensor(info);
  }

  async #floats(name: string, to: GpuBuffer): Promise<void> {
    const info = this.#model.tensors.get(name)!;
    const values = await readTensorF32(info);
    this.#write(to, 0, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    this.#progress(info.end - info.begin);
  }

  /** writeBuffer wants whole words. */
  #write(to: GpuBuffer, offset: number, bytes: Uint8Array): void {
    let whole = bytes;
    if (bytes.length % 4 !== 0) {
      whole = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
      whole.set(bytes);
    }
    this.#gpu.device.queue.writeBuffer(to.raw, offset, whole as Uint8Array<ArrayBuffer>);
  }

  #progress(bytes: number): void {
    this.#done += bytes;
    this.#options.onProgress?.(this.#done, this.#total);
  }
}
