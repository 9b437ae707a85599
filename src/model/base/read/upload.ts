import type { Gpu } from '../../../gpu/device.ts';
import { type BufferView, type GpuBuffer, view } from '../../../gpu/memory.ts';
import { Stream } from '../../../gpu/stream.ts';
import { FiniteCheck } from './finite-check.ts';
import { HostStaging, stagedBytes } from './host-staging.ts';
import { CHUNK_BYTES, readAhead, type Receiver } from './read-ahead.ts';
import { type Chunk, readPlan, type Wanted } from './read-plan.ts';

/** Chunks that the device may be processing while the next ones are read. */
const IN_FLIGHT = 2;

/** Writes bytes into a buffer; `offset` is a multiple of 4, and the last word may be padded with zeros. */
export function upload(gpu: Gpu, to: GpuBuffer, offset: number, bytes: Uint8Array<ArrayBuffer>): void {
  let whole = bytes;
  if (bytes.length % 4 !== 0) {
    whole = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
    whole.set(bytes);
  }
  gpu.device.queue.writeBuffer(to.raw, offset, whole);
}

/** Loads ranges of files onto the device, overlapping reads with the device's work on earlier ones. */
export class Upload {
  readonly gpu: Gpu;
  readonly stream: Stream;
  readonly finite: FiniteCheck;
  readonly #chunkBytes: number;
  /** Where kernels read a chunk; the device does everything in order, so that one is enough. */
  #chunk: GpuBuffer | undefined;
  #work: Promise<void>[] = [];

  constructor(gpu: Gpu, chunkBytes = CHUNK_BYTES) {
    this.gpu = gpu;
    this.stream = new Stream(gpu);
    this.finite = new FiniteCheck(gpu, this.stream, IN_FLIGHT);
    this.#chunkBytes = chunkBytes;
  }

  /** Copies staged bytes to where kernels can read them; they stay until the chunk has been processed. */
  stage(staged: BufferView): BufferView {
    const there = view(this.#chunk!, staged.offset, staged.size);
    this.stream.copy(staged, there);
    return there;
  }

  /** Follow-up work on a chunk that need not delay the next one; `run` waits for it at the end. */
  later(work: Promise<void>): void {
    this.#work.push(work);
  }

  /**
   * Loads all ranges through their `take`. `onBytes` is called after each chunk with its number of bytes; `see` sees everything
   * that is read. Throws UserError if the device finds a value that is not finite.
   */
  async run(
    wanted: readonly Wanted[],
    onBytes: (bytes: number) => void,
    see?: Receiver['see'],
  ): Promise<void> {
    const chunks = readPlan(wanted, this.#chunkBytes);
    const most = Math.max(...chunks.map(({ pieces }) => stagedBytes(pieces.map(({ bytes }) => bytes))));
    const { memory } = this.gpu;
    this.#chunk = memory.allocate('loading', 'working activations', most);
    const host = new HostStaging(this.gpu, most, IN_FLIGHT);
    /** Outstanding work of the last chunks, oldest first. */
    const inFlight: Promise<unknown>[] = [];
    const take = async ({ pieces }: Chunk, bytes: Uint8Array): Promise<void> => {
      while (inFlight.length >= IN_FLIGHT) {
        await inFlight.shift();
      }
      const parts = pieces.map((piece) => bytes.subarray(piece.from, piece.from + piece.bytes));
      const staged = await host.place(parts);
      for (const [i, piece] of pieces.entries()) {
        piece.wanted.take(piece.at, parts[i]!, staged[i]!);
      }
      const looked = this.finite.submit();
      const done = Promise.all([looked, host.submitted(), ...this.#work]);
      // Its failure is reported to whoever awaits it.
      done.catch(() => undefined);
      inFlight.push(done);
      this.#work = [];
      onBytes(pieces.reduce((sum, piece) => sum + piece.bytes, 0));
    };
    try {
      await readAhead(chunks, { see, take });
      await Promise.all(inFlight);
    } finally {
      host.close();
      memory.free(this.#chunk);
    }
  }

  close(): void {
    this.finite.close();
    this.stream.close();
  }
}
