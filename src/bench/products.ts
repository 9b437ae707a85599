import { linearModules } from '../formats/decoder-weights.ts';
import { NF4_FORWARD, NF4_GRAD } from '../gpu/kernels/linear/index.ts';
import { nf4Matmul, nf4MatmulGrad } from '../gpu/kernels/linear/nf4.ts';
import { packedBytes } from '../gpu/kernels/linear/nf4-packed.ts';
import type { Precision } from '../gpu/kernels/linear/nf4-variant.ts';
import { view } from '../gpu/memory.ts';
import type { Stream } from '../gpu/stream.ts';
import { allocate } from '../model/allocations.ts';
import { nestedLayout, nf4Allocations } from '../model/weights.ts';
import type { Ceilings } from './ceilings.ts';
import { timeCalls } from './measure.ts';
import { benchModel, type ModelName, modelTitle } from './models.ts';
import { type Cell, matrixCells, matrixColumn, rateCells, type ReportSection, timeCells } from './report.ts';
import { Filler } from './synthetic.ts';

const NESTED_BLOCK = 256;

/** Every product with an NF4 weight of a model's layer, by every variant that the device supports. */
export async function measureProducts(
  stream: Stream,
  name: ModelName,
  call: {
    rows: number;
    rank: number;
    rounds: number;
    ceilings: Ceilings;
    onProgress: (text: string) => void;
  },
): Promise<ReportSection> {
  const { gpu } = stream;
  const { rows, rank, rounds, ceilings } = call;
  const { config } = benchModel(name);
  const fill = new Filler(gpu);
  const table: Cell[][] = [];
  const seen = new Set<string>();
  for (const module of linearModules({ ...config, layers: 1 })) {
    const [columns, depth] = module.shape;
    if (seen.has(`${columns}×${depth}`)) {
      continue;
    }
    seen.add(`${columns}×${depth}`);
    const buffers = allocate(gpu.memory, {
      ...nf4Allocations(module, { nestedBlock: NESTED_BLOCK }),
      x: { kind: 'working activations', bytes: 4 * rows * depth },
      y: { kind: 'working activations', bytes: 4 * rows * columns },
      activations: { kind: 'working activations', bytes: 4 * rows * rank },
      lora: { kind: 'LoRA weights', bytes: 4 * rank * Math.max(columns, depth) },
      rowScales: { kind: 'working activations', bytes: 4 * rows },
      scratch: {
        kind: 'working activations',
        bytes: Math.max(
          packedBytes(gpu, { rows, columns, inner: depth, rank }),
          packedBytes(gpu, { rows, columns: depth, inner: columns, rank }),
        ),
      },
    });
    const { absmaxAt, mapAt } = nestedLayout((columns * depth) / 64, NESTED_BLOCK);
    const weight = {
      columns,
      depth,
      codes: view(buffers.codes),
      scales: view(buffers.scales),
      nested: { absmaxAt, mapAt, shift: Math.log2(NESTED_BLOCK), offset: 0 },
    };
    fill.weight(weight);
    const [x, y, activations, matrix] = [buffers.x, buffers.y, buffers.activations, buffers.lora].map((b) =>
      view(b),
    );
    for (const v of [x!, y!, activations!, matrix!]) {
      fill.floats(v, -1, 1);
    }
    const inScratch = { rowScales: view(buffers.rowScales), scratch: view(buffers.scratch) };
    const lora = (width: number) => ({
      activations: activations!,
      matrix: view(buffers.lora, 0, 4 * rank * width),
      rank,
    });
    const add = async (
      direction: string,
      { name: variant, precision }: { name: string; precision: Precision },
      work: number,
      dispatch: () => void,
    ) => {
      call.onProgress(`${module.projection} ${direction}, ${variant}`);
      const time = await timeCalls(stream, rounds, dispatch);
      const shape = direction === 'forward' ? `${columns} × ${depth}` : `${depth} × ${columns}`;
      table.push([
        module.projection,
        direction,
        shape,
        variant,
        ...timeCells(time),
        ...rateCells(work, time.seconds, ceilings.work),
        ...matrixCells(work, time.seconds, ceilings, precision === 'matrix'),
      ]);
    };
    for (const variant of NF4_FORWARD) {
      if (variant.supported(gpu)) {
        await add('forward', variant, 2 * rows * columns * (depth + rank), () =>
          nf4Matmul(stream, { x: x!, weight, y: y!, rows, lora: lora(columns), ...inScratch }, variant),
        );
      }
    }
    for (const variant of NF4_GRAD) {
      if (variant.supported(gpu)) {
        await add('gradient', variant, 2 * rows * depth * (columns + rank), () =>
          nf4MatmulGrad(
            stream,
            { dy: y!, weight, dx: x!, rows, lora: lora(depth), accumulate: false, ...inScratch },
            variant,
          ),
        );
      }
    }
    for (const buffer of Object.values(buffers)) {
      gpu.memory.free(buffer);
    }
  }
  return {
    name: 'products',
    title: `Products with the NF4 weights of ${modelTitle(name)}, ${rows} rows, LoRA of rank ${rank} included`,
    columns: [
      '',
      'direction',
      'out × in',
      'variant',
      'ms',
      'spread %',
      'GFLOP/s',
      '% of f32 ceiling',
      ...matrixColumn(ceilings),
    ],
    rows: table,
    notes: [
      'Every variant that the device offers, of every precision; those above f32 with the pass that finds the scales of rows, and those of packed operands with what packs them.',
    ],
  };
}
