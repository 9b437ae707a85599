import copyCode from '../../shaders/bench/bench_copy.wgsl';
import fmaCode from '../../shaders/bench/bench_fma.wgsl';
import { Kernel } from '../gpu/kernel.ts';
import { view } from '../gpu/memory.ts';
import { Readback } from '../gpu/readback.ts';
import type { Stream } from '../gpu/stream.ts';
import { hasMatrixCeiling, timeSubgroupMatrices } from './matrix-ceiling.ts';
import { timeCalls, timeRounds } from './measure.ts';
import { type Cell, type ReportSection, timeCells } from './report.ts';

const fmaKernel = new Kernel({
  name: 'bench_fma',
  code: fmaCode,
  buffers: ['read_write'],
  params: { rounds: 'u32', a: 'f32', b: 'f32' },
});

const copyKernel = new Kernel({
  name: 'bench_copy',
  code: copyCode,
  buffers: ['read', 'read_write'],
  params: { count4: 'u32' },
});

/** Workgroups of either kernel: far more than any device runs at once. */
const GROUPS = 4096;
/** Operations of one iteration of bench_fma.wgsl, over all threads. */
const ROUND_WORK = 2 * 8 * 4 * 256 * GROUPS;

/** The maximum rates of a device. */
export interface Ceilings {
  /** f32 operations per second; a multiply-add counts as two. */
  work: number;
  /** Bytes read and written per second. */
  bytes: number;
  /**
   * Operations per second on subgroup matrices with f16 operands and f32 sums; undefined if there are none to use.
   */
  matrix: number | undefined;
}

/** Measures a device's ceilings; `small`: with little work, for a device that computes on the CPU. */
export async function measureCeilings(
  stream: Stream,
  rounds: number,
  small: boolean,
): Promise<{ ceilings: Ceilings; section: ReportSection }> {
  const { memory } = stream.gpu;
  const bytes = small ? 2 ** 20 : 2 ** 27;
  const out = memory.allocate('bench', 'working activations', GROUPS * 256 * 16);
  const [from, to] = [0, 1].map(() => memory.allocate('bench', 'working activations', bytes));
  const fmaRounds = small ? 1 : 512;
  const groups: [number] = [small ? 16 : GROUPS];
  const work = (ROUND_WORK * fmaRounds * groups[0]) / GROUPS;
  const fma = await timeCalls(stream, rounds, () =>
    stream.dispatch(fmaKernel, {
      buffers: [view(out)],
      params: { rounds: fmaRounds, a: 0.999, b: 0.001 },
      groups,
      work,
    }),
  );
  const copy = await timeCalls(stream, rounds, () =>
    stream.dispatch(copyKernel, {
      buffers: [view(from!), view(to!)],
      params: { count4: bytes / 16 },
      groups,
      work: bytes / 8,
    }),
  );
  const host = new Uint8Array(Math.min(bytes, 2 ** 25)).fill(1);
  const upload = await timeRounds(rounds, () => {
    stream.gpu.device.queue.writeBuffer(to!.raw, 0, host);
    return stream.finish();
  });
  const readback = new Readback(stream.gpu, 'bench', host.length);
  const download = await timeRounds(rounds, () => readback.read(stream, view(from!, 0, host.length)));
  const roundTrip = await timeRounds(rounds, () => stream.finish());
  readback.close();
  for (const buffer of [out, from!, to!]) {
    memory.free(buffer);
  }
  const units = hasMatrixCeiling(stream.gpu) ? await timeSubgroupMatrices(stream, rounds, small) : undefined;
  const onUnits: Cell[][] = units
    ? [
        [
          `subgroup matrices, f16 to f32, ${units.shape}`,
          { speed: units.work / units.time.seconds / 1e9 },
          'GFLOP/s',
          ...timeCells(units.time),
        ],
      ]
    : [];
  const section: ReportSection = {
    name: 'ceilings',
    title: 'What the device does at most',
    columns: ['', 'rate', 'unit', 'ms', 'spread %'],
    rows: [
      [
        'f32 multiply-adds, from registers',
        { speed: work / fma.seconds / 1e9 },
        'GFLOP/s',
        ...timeCells(fma),
      ],
      ...onUnits,
      [
        'copy by a kernel, read and written',
        { speed: (2 * bytes) / copy.seconds / 1e9 },
        'GB/s',
        ...timeCells(copy),
      ],
      ['upload (writeBuffer)', { speed: host.length / upload.seconds / 1e9 }, 'GB/s', ...timeCells(upload)],
      [
        'readback (mapAsync)',
        { speed: host.length / download.seconds / 1e9 },
        'GB/s',
        ...timeCells(download),
      ],
      ['to the device and back', { speed: 1e6 * roundTrip.seconds }, 'µs', ...timeCells(roundTrip)],
    ],
    notes: [
      `A copy moves ${bytes / 2 ** 20} MiB each way, an upload ${host.length / 2 ** 20} MiB.`,
      ...(units ? [] : ['No subgroup matrices that kernels of Retune run on.']),
    ],
  };
  const ceilings = {
    work: work / fma.seconds,
    bytes: (2 * bytes) / copy.seconds,
    matrix: units && units.work / units.time.seconds,
  };
  return { ceilings, section };
}
