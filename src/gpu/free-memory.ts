import fillCode from '../../shaders/memory_fill.wgsl';
import type { Gpu } from './device.ts';
import { Kernel } from './kernel.ts';
import { view, type GpuBuffer } from './memory.ts';
import { Stream } from './stream.ts';
import { refusal } from './error-scopes.ts';

/** Memory is taken in pieces of so many bytes: a buffer of this size is within WebGPU's guaranteed limits. */
const PIECE_BYTES = 2 ** 28;
/** A half is what may be bound at once. */
const BOUND_BYTES = PIECE_BYTES / 2;
/** What a measurement should last, so that the way to the device and back does not blur it, and its fewest writes. */
const TIMED_SECONDS = 0.05;
const MIN_TIMES = 2;
/** Bytes a second that only memory of the GPU's own reaches: the host's, 128 bits wide, stays below. */
const OWN_RATE = 120e9;
/** Bytes that are taken before the rate counts. */
const RATED_BYTES = 2 ** 30;
/** Writing takes so many times as long as at the best rate, and so many seconds more for what else a desktop draws: longer is paging. */
const SLOWER = 1.5;
const SLACK_SECONDS = 0.02;
/** Of what is free, what a run may take: the desktop goes on drawing. */
const SHARE = 0.9;
/** Workgroups of the kernel: more than any device runs at once. */
const FILL_GROUPS = 8192;

const fillKernel = new Kernel({
  name: 'memory_fill',
  code: fillCode,
  buffers: ['read_write'],
  params: { count4: 'u32' },
});

/** Memory of a device, taken piece by piece. */
export interface Pieces {
  /** Takes one more of PIECE_BYTES; resolves to whether the device had it. */
  take(): Promise<boolean>;
  /** Writes each so often; resolves to seconds. */
  write(times: number): Promise<number>;
}

/** What a run may want of a device's memory, in bytes. */
interface Wanted {
  most: number;
  /** At most, where the memory seems to be the host's. */
  ofHost: number;
}

/**
 * Bytes that a run may take of the device's memory. WebGPU does not tell how much there is: it is taken until the
 * device refuses, or is seen to page (some drivers lend the host's memory instead of refusing), and given back.
 * `onProgress` in bytes.
 */
export async function freeMemory(
  gpu: Gpu,
  { most, ofHost }: Wanted,
  onProgress: (held: number, wanted: number) => void,
): Promise<number> {
  // Apple's GPUs share the host's, however fast.
  const shared = gpu.device.adapterInfo.vendor === 'apple';
  const stream = new Stream(gpu);
  const buffers: GpuBuffer[] = [];
  try {
    await fillKernel.compile(gpu);
    const wanted = { most: shared ? Math.min(most, ofHost) : most, ofHost };
    return await measureFree(piecesOf(stream, buffers), wanted, onProgress);
  } finally {
    for (const buffer of buffers) gpu.memory.free(buffer);
    stream.close();
    // What was freed is the device's again once its queue is through.
    await gpu.device.queue.onSubmittedWorkDone();
  }
}

function piecesOf(stream: Stream, buffers: GpuBuffer[]): Pieces {
  const { device, memory } = stream.gpu;
  return {
    async take() {
      const refused = await refusal(device, () => {
        buffers.push(memory.allocate('free memory', 'working activations', PIECE_BYTES));
      });
      return refused === undefined;
    },
    async write(times) {
      const begun = performance.now();
      for (let i = 0; i < times; i++)
        for (const buffer of buffers)
          for (const offset of [0, BOUND_BYTES])
            stream.dispatch(fillKernel, {
              buffers: [view(buffer, offset, BOUND_BYTES)],
              params: { count4: BOUND_BYTES / 16 },
              groups: [FILL_GROUPS],
            });
      await stream.finish();
      return (performance.now() - begun) / 1000;
    },
  };
}

/** As `freeMemory`, of any pieces. */
export async function measureFree(
  pieces: Pieces,
  { most, ofHost }: Wanted,
  onProgress: (held: number, wanted: number) => void,
): Promise<number> {
  let best = Infinity; // seconds a byte
  let held = 0;
  let wanted = most;
  while (SHARE * held < wanted) {
    onProgress(Math.min(held, wanted), wanted);
    if (!(await pieces.take())) break;
    const now = held + PIECE_BYTES;
    const times = Math.max(MIN_TIMES, Math.ceil(TIMED_SECONDS / (best * now)));
    const bytes = times * now;
    const pages = (seconds: number) => seconds > SLOWER * best * bytes + SLACK_SECONDS;
    let seconds = await pieces.write(times);
    // Another program's burst passes; paging does not.
    if (pages(seconds)) seconds = Math.min(seconds, await pieces.write(times));
    if (pages(seconds)) break;
    best = Math.min(best, seconds / bytes);
    held = now;
    if (held >= RATED_BYTES && best * OWN_RATE > 1) wanted = Math.min(most, ofHost);
  }
  return Math.min(wanted, Math.floor(SHARE * held));
}
