import type { BaseModel } from '../../formats/base-model.ts';
import { ropeInverseFrequencies } from '../../formats/decoder-config.ts';
import { type LinearModule, linearModules, type Projection } from '../../formats/decoder-weights.ts';
import type { Gpu } from '../../gpu/device.ts';
import type { LinearWeight } from '../../gpu/kernels/linear/nf4-operands.ts';
import type { Table } from '../../gpu/kernels/lm-head/lm-head.ts';
import { ropeTable } from '../../gpu/kernels/rope.ts';
import type { FloatFormat } from '../../gpu/kernels/shared/float-format.ts';
import { type GpuBuffer, view } from '../../gpu/memory.ts';
import { allocate, type Allocations } from '../allocations.ts';
import {
  type DecoderWeights,
  denseAllocations,
  type LayerWeights,
  type Linear,
  nestedLayout,
  nf4Allocations,
  outerAllocations,
  smallAllocations,
  tableParts,
  type WeightStorage,
} from '../weights.ts';
import { formatOf, headTensor, weightStorage } from './read/tensor-format.ts';

type SmallBuffers = Record<'inputNorm' | 'postNorm', GpuBuffer> &
  Partial<Record<'qNorm' | 'kNorm' | Projection, GpuBuffer>>;

/**
 * Allocates a base on the device; everything but the rotary table is still to be loaded. `positions`: rows of that
 * table. Throws UserError if the device cannot allocate it.
 */
export function allocateBase(
  gpu: Gpu,
  model: BaseModel,
  { doubleQuant, positions }: { doubleQuant: boolean; positions: number },
): DecoderWeights {
  const { config } = model;
  const formats = {
    embedding: formatOf(model.tensors.get('model.embed_tokens.weight')!),
    head: formatOf(headTensor(model)),
  };
  const sets = outerAllocations(config, formats.embedding, formats.head, positions);
  const table = (format: FloatFormat, set: Allocations): Table => {
    const { vocabSize: vocab, hiddenSize: width } = config;
    const buffers = Object.values(allocate(gpu.memory, set));
    const parts = tableParts(vocab, width, format).map((part, i) => ({ ...part, view: view(buffers[i]!) }));
    return { parts, format, vocab, width };
  };
  const embedding = table(formats.embedding, sets.embedding);
  const head = config.tied ? embedding : table(formats.head, sets.head);
  const other = allocate(gpu.memory, sets.other);
  const rope = ropeTable(ropeInverseFrequencies(config), positions);
  gpu.device.queue.writeBuffer(other.rope.raw, 0, rope as Float32Array<ArrayBuffer>);
  const storage = weightStorage(model, doubleQuant);
  const modules = linearModules(config);
  const layer = (own: readonly LinearModule[]): LayerWeights => {
    const small = allocate(gpu.memory, smallAllocations(config)) as SmallBuffers;
    const linear = {} as Record<Projection, Linear>;
    for (const module of own) {
      const bias = small[module.projection];
      linear[module.projection] = {
        weight: allocateLinear(gpu, module, storage(module)),
        bias: bias && view(bias),
      };
    }
    const { inputNorm, postNorm, qNorm, kNorm } = small;
    return {
      inputNorm: view(inputNorm),
      postNorm: view(postNorm),
      qNorm: qNorm && view(qNorm),
      kNorm: kNorm && view(kNorm),
      linear,
    };
  };
  const layers = Array.from({ length: config.layers }, (_, i) => layer(modules.filter((m) => m.layer === i)));
  return { config, layers, embedding, head, finalNorm: view(other.finalNorm), rope: view(other.rope) };
}

function allocateLinear(gpu: Gpu, module: LinearModule, storage: WeightStorage): LinearWeight {
  const [columns, depth] = module.shape;
  if (storage.format) {
    const { values } = allocate(gpu.memory, denseAllocations(module));
    return { columns, depth, values: view(values), format: storage.format };
  }
  const buffers = allocate(gpu.memory, nf4Allocations(module, storage));
  const weight = { columns, depth, codes: view(buffers.codes), scales: view(buffers.scales) };
  const { nestedBlock } = storage;
  if (!nestedBlock) {
    return weight;
  }
  const { absmaxAt, mapAt } = nestedLayout((columns * depth) / 64, nestedBlock);
  return { ...weight, nested: { absmaxAt, mapAt, shift: Math.log2(nestedBlock), offset: 0 } };
}
