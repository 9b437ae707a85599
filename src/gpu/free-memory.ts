import type { Gpu } from './device.ts';
import type { GpuBuffer } from './memory.ts';
import { refusal } from './tuning/scopes.ts';

/** Memory is taken in pieces of so many bytes: a buffer of this size is within WebGPU's guaranteed limits. */
const PIECE_BYTES = 2 ** 28;
/** What a measurement should last, so that the way to the device and back does not blur it, and its fewest writes. */
const TIMED_SECONDS = 0.05;
const LEAST_TIMES = 2;
/**
 * Bytes a second that only memory of the GPU's own reaches: the host's, 128 bits wide, stays below. On D3D12 a buffer is
 * zeroed by copies of 4 MiB, which cards of 192 GB/s may do at no more than 140.
 */
const OWN_RATE = 120e9;
/** Bytes that are taken before the rate counts. */
const RATED_BYTES = 2 ** 30;
/** Writing takes so many times as long as at the best rate, and so many seconds more for what else a desktop draws: longer is paging. */
const SLOWER = 1.3;
const SLACK_SECONDS = 0.02;
/** Of what is free, what a run may take: the desktop goes on drawing. */
const SHARE = 0.9;

/** Memory of a device, taken piece by piece. */
export interface Pieces {
  /** Takes one more of PIECE_BYTES; resolves to whether the device had it. */
  take(): Promise<boolean>;
  /** Writes each so often; resolves to seconds. */
  write(times: number): Promise<number>;
}

/**
 * Bytes that a run may take of the GPU's own memory, `wanted` at most. WebGPU does not tell how much there is: it is
 * taken until the device refuses, or is seen to page (some drivers lend the host's memory instead of refusing), and
 * given back. undefined where the memory seems to be the host's. `onProgress` in bytes.
 */
export async function freeMemory(
  gpu: Gpu,
  wanted: number,
  onProgress: (held: number, wanted: number) => void,
): Promise<number | undefined> {
  if (gpu.device.adapterInfo.vendor === 'apple') return undefined; // its GPUs share the host's, however fast
  const buffers: GpuBuffer[] = [];
  try {
    return await measureFree(piecesOf(gpu, buffers), wanted, onProgress);
  } finally {
    for (const buffer of buffers) gpu.memory.free(buffer);
    // What was freed is the device's again once its queue is through.
    await gpu.device.queue.onSubmittedWorkDone();
  }
}

function piecesOf({ device, memory }: Gpu, buffers: GpuBuffer[]): Pieces {
  return {
    async take() {
      const refused = await refusal(device, () => {
        buffers.push(memory.allocate('free memory', 'working activations', PIECE_BYTES));
      });
      return refused === undefined;
    },
    async write(times) {
      const begun = performance.now();
      const encoder = device.createCommandEncoder();
      for (let i = 0; i < times; i++) for (const { raw } of buffers) encoder.clearBuffer(raw);
      device.queue.submit([encoder.finish()]);
      await device.queue.onSubmittedWorkDone();
      return (performance.now() - begun) / 1000;
    },
  };
}

/** As `freeMemory`, of any pieces. */
export async function measureFree(
  pieces: Pieces,
  wanted: number,
  onProgress: (held: number, wanted: number) => void,
): Promise<number | undefined> {
  let best = Infinity; // seconds a byte
  let held = 0;
  while (SHARE * held < wanted) {
    onProgress(Math.min(held, wanted), wanted);
    if (!(await pieces.take())) break;
    const now = held + PIECE_BYTES;
    const times = Math.max(LEAST_TIMES, Math.ceil(TIMED_SECONDS / (best * now)));
    const bytes = times * now;
    const pages = (seconds: number) => seconds > SLOWER * best * bytes + SLACK_SECONDS;
    let seconds = await pieces.write(times);
    // Another program's burst passes; paging does not.
    if (pages(seconds)) seconds = Math.min(seconds, await pieces.write(times));
    if (pages(seconds)) break;
    best = Math.min(best, seconds / bytes);
    held = now;
    if (held >= RATED_BYTES && best * OWN_RATE > 1) return undefined;
  }
  if (SHARE * held >= wanted) return wanted;
  return held < RATED_BYTES ? undefined : Math.floor(SHARE * held);
}
