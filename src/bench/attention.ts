import { attentionDelta, attentionScratch } from '../gpu/kernels/attention/attention.ts';
import { attention, ATTENTION_CLASSES, ATTENTIONS } from '../gpu/kernels/attention/index.ts';
import { packedAttentionBytes } from '../gpu/kernels/attention/packed-operands.ts';
import type { AttentionVariant } from '../gpu/kernels/attention/variant.ts';
import { view } from '../gpu/memory.ts';
import type { Stream } from '../gpu/stream.ts';
import { allocate } from '../model/allocations.ts';
import { heads } from '../model/decoder.ts';
import type { Ceilings } from './ceilings.ts';
import { timeCalls } from './measure.ts';
import { benchModel, type ModelName, modelTitle } from './models.ts';
import { type Cell, matrixCells, matrixColumn, rateCells, type ReportSection, timeCells } from './report.ts';
import { Filler } from './synthetic.ts';

/** Products per query-key pair. */
const PRODUCTS = { attention: 2, 'attention keys': 4, 'attention queries': 3 } as const;

/** A model's attention over one document and its gradients, by every variant that the device supports. */
export async function measureAttention(
  stream: Stream,
  name: ModelName,
  call: { rows: number; rounds: number; ceilings: Ceilings; onProgress: (text: string) => void },
): Promise<ReportSection> {
  const { gpu } = stream;
  const { rows: tokens, rounds, ceilings } = call;
  const shape = heads(benchModel(name).config, tokens);
  const wide = { kind: 'working activations', bytes: 4 * tokens * shape.heads * shape.headDim } as const;
  const packed = gpu.matrix
    ? Math.max(...ATTENTION_CLASSES.map((part) => packedAttentionBytes(part, shape)))
    : 0;
  const narrow = { ...wide, bytes: 4 * tokens * shape.kvHeads * shape.headDim };
  const buffers = allocate(gpu.memory, {
    ...{ q: wide, k: narrow, v: narrow, o: wide, dout: wide, dq: wide, dk: narrow, dv: narrow },
    stats: { ...wide, bytes: 8 * tokens * shape.heads },
    ranges: { kind: 'batch', bytes: 8 * tokens },
    scratch: { ...wide, bytes: Math.max(4 * attentionScratch(tokens, shape), packed) },
  });
  const views = Object.fromEntries(Object.entries(buffers).map(([key, buffer]) => [key, view(buffer)]));
  const inputs = { ...(views as Record<keyof typeof buffers, ReturnType<typeof view>>), ...shape };
  const fill = new Filler(gpu);
  // Scores mostly between -2 and 2.
  for (const one of [inputs.q, inputs.k, inputs.v, inputs.dout]) {
    fill.floats(one, -1.7, 1.7);
  }
  const ranges = Uint32Array.from({ length: 2 * tokens }, (_, i) => (i % 2) * tokens);
  gpu.device.queue.writeBuffer(buffers.ranges.raw, 0, ranges);
  attention(stream, inputs);
  attentionDelta(stream, inputs);
  const table: Cell[][] = [];
  for (const part of ATTENTION_CLASSES) {
    const work = PRODUCTS[part] * tokens * (tokens + 1) * shape.heads * shape.headDim;
    for (const variant of ATTENTIONS[part] as readonly AttentionVariant<typeof inputs>[]) {
      if (!variant.supported(gpu) || !variant.fits(shape)) {
        continue;
      }
      call.onProgress(`${part}, ${variant.name}`);
      const time = await timeCalls(stream, rounds, () => variant.dispatch(stream, inputs));
      table.push([
        part,
        variant.name,
        ...timeCells(time),
        ...rateCells(work, time.seconds, ceilings.work),
        ...matrixCells(work, time.seconds, ceilings, variant.precision === 'matrix'),
      ]);
    }
  }
  for (const buffer of Object.values(buffers)) {
    gpu.memory.free(buffer);
  }
  return {
    name: 'attention',
    title: `Attention of ${modelTitle(name)}, ${shape.heads} heads on ${shape.kvHeads} of ${shape.headDim}, one document of ${tokens} tokens`,
    columns: ['', 'variant', 'ms', 'spread %', 'GFLOP/s', '% of f32 ceiling', ...matrixColumn(ceilings)],
    rows: table,
    notes: [
      'Every variant that the device offers, of every precision. Operations are those of pairs of a query and a key that it sees.',
    ],
  };
}
