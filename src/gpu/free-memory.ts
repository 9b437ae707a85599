import fillCode from '../../shaders/memory_fill.wgsl';
import type { Gpu } from './device.ts';
import { refusal } from './error-scopes.ts';
import { Kernel } from './kernel.ts';
import { type GpuBuffer, view } from './memory.ts';
import { Stream } from './stream.ts';

/** Bytes per allocation: a buffer of this size is within WebGPU's guaranteed limits. */
const PIECE_BYTES = 2 ** 28;
/** Half of it is the maximum that a binding may cover. */
const BOUND_BYTES = PIECE_BYTES / 2;
/**
 * Minimum duration of a measurement in seconds, so that the round trip to the device does not blur it, and its
 * minimum writes.
 */
const TIMED_SECONDS = 0.05;
const MIN_TIMES = 2;
/** Bytes per second that only a GPU's own memory reaches; 128-bit host memory stays below. */
const OWN_RATE = 120e9;
/** Bytes to allocate before that rate is compared. */
const RATED_BYTES = 2 ** 30;
/** Slower than the best rate by this factor, plus the seconds that drawing a desktop may add, counts as paging. */
const SLOWER = 1.5;
const SLACK_SECONDS = 0.02;
/** The share of free memory that a run may use; the rest is left to the desktop. */
const SHARE = 0.9;
/** Workgroups of the kernel: more than any device runs at once. */
const FILL_GROUPS = 8192;

const fillKernel = new Kernel({
  name: 'memory_fill',
  code: fillCode,
  buffers: ['read_write'],
  params: { count4: 'u32' },
});

/** A device's memory, allocated piece by piece. */
export interface Pieces {
  /** Allocates another PIECE_BYTES; resolves to whether the device had it. */
  take(): Promise<boolean>;
  /** Writes every piece `times` times; resolves to the seconds taken. */
  write(times: number): Promise<number>;
}

/** How much memory a run may want, in bytes. */
interface Wanted {
  most: number;
  /** Maximum if the memory appears to be the host's. */
  ofHost: number;
}

/**
 * Bytes of device memory that a run may use. WebGPU does not report free memory, so this allocates until the device
 * refuses or appears to page (some drivers fall back to host memory instead of refusing), then frees everything.
 * `onProgress` in bytes.
 */
export async function freeMemory(
  gpu: Gpu,
  { most, ofHost }: Wanted,
  onProgress: (held: number, wanted: number) => void,
): Promise<number> {
  // Apple GPUs share host memory, however fast it is.
  const shared = gpu.device.adapterInfo.vendor === 'apple';
  const stream = new Stream(gpu);
  const buffers: GpuBuffer[] = [];
  try {
    await fillKernel.compile(gpu);
    const wanted = { most: shared ? Math.min(most, ofHost) : most, ofHost };
    return await measureFree(piecesOf(stream, buffers), wanted, onProgress);
  } finally {
    for (const buffer of buffers) {
      gpu.memory.free(buffer);
    }
    stream.close();
    // Freed memory returns to the device once its queue is done.
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
      for (let i = 0; i < times; i++) {
        for (const buffer of buffers) {
          for (const offset of [0, BOUND_BYTES]) {
            stream.dispatch(fillKernel, {
              buffers: [view(buffer, offset, BOUND_BYTES)],
              params: { count4: BOUND_BYTES / 16 },
              groups: [FILL_GROUPS],
            });
          }
        }
      }
      await stream.finish();
      return (performance.now() - begun) / 1000;
    },
  };
}

/** The same as `freeMemory`, for any implementation of `Pieces`. */
export async function measureFree(
  pieces: Pieces,
  { most, ofHost }: Wanted,
  onProgress: (held: number, wanted: number) => void,
): Promise<number> {
  let best = Infinity; // seconds per byte
  let held = 0;
  let wanted = most;
  while (SHARE * held < wanted) {
    onProgress(Math.min(held, wanted), wanted);
    if (!(await pieces.take())) {
      break;
    }
    const now = held + PIECE_BYTES;
    const times = Math.max(MIN_TIMES, Math.ceil(TIMED_SECONDS / (best * now)));
    const bytes = times * now;
    const pages = (seconds: number) => seconds > SLOWER * best * bytes + SLACK_SECONDS;
    let seconds = await pieces.write(times);
    // A burst of another program passes; paging does not.
    if (pages(seconds)) {
      seconds = Math.min(seconds, await pieces.write(times));
    }
    if (pages(seconds)) {
      break;
    }
    best = Math.min(best, seconds / bytes);
    held = now;
    if (held >= RATED_BYTES && best * OWN_RATE > 1) {
      wanted = Math.min(most, ofHost);
    }
  }
  return Math.min(wanted, Math.floor(SHARE * held));
}
