import type { Gpu } from '../../../gpu/device.ts';
import { type BufferView, type GpuBuffer, view } from '../../../gpu/memory.ts';
import { Stream } from '../../../gpu/stream.ts';
import { FiniteCheck } from './finite-check.ts';
import { CHUNK_BYTES, readAhead, type Receiver } from './read-ahead.ts';
import { readPlan, type Wanted } from './read-plan.ts';

/** Alignment of bindings. */
const ALIGNMENT = 256;
/** Chunks that the device may be processing while the next ones are read. */
const IN_FLIGHT = 2;
/** Space for the alignment of many small pieces; when it runs out, the staging buffer starts over. */
const SLACK_BYTES = 2 ** 16;

/** Writes bytes into a buffer; `offset` is a multiple of 4, and the last word may be padded with zeros. */
export function upload(gpu: Gpu, to: GpuBuffer, offset: number, bytes: Uint8Array): void {
  let whole = bytes as Uint8Array<ArrayBuffer>;
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
  readonly #staging: GpuBuffer[];
  /** Outstanding work of the last chunks, oldest first. */
  readonly #inFlight: Promise<unknown>[] = [];
  #work: Promise<void>[] = [];
  #turn = 0;
  #filled = 0;

  constructor(gpu: Gpu, chunkBytes = CHUNK_BYTES) {
    this.gpu = gpu;
    this.stream = new Stream(gpu);
    this.finite = new FiniteCheck(gpu, this.stream, IN_FLIGHT);
    this.#chunkBytes = chunkBytes;
    this.#staging = Array.from({ length: IN_FLIGHT }, () =>
      gpu.memory.allocate('loading', 'working activations', chunkBytes + SLACK_BYTES),
    );
  }

  /** Puts bytes where kernels can read them; they stay until the chunk has been processed. */
  stage(bytes: Uint8Array): BufferView {
    const at = Math.ceil(this.#filled / ALIGNMENT) * ALIGNMENT;
    const size = Math.ceil(bytes.length / 4) * 4;
    const buffer = this.#staging[this.#turn % IN_FLIGHT]!;
    if (at + size > buffer.size) {
      // What was staged before is processed before it is overwritten.
      this.stream.submit();
      this.#filled = 0;
      return this.stage(bytes);
    }
    upload(this.gpu, buffer, at, bytes);
    this.#filled = at + size;
    return view(buffer, at, size);
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
    await readAhead(readPlan(wanted, this.#chunkBytes), {
      ready: async () => {
        while (this.#inFlight.length >= IN_FLIGHT) {
          await this.#inFlight.shift();
        }
      },
      see,
      taken: (bytes) => {
        const looked = this.finite.submit();
        const done = Promise.all([looked, this.gpu.device.queue.onSubmittedWorkDone(), ...this.#work]);
        // Its failure is reported to whoever awaits it.
        done.catch(() => undefined);
        this.#inFlight.push(done);
        this.#work = [];
        this.#turn++;
        this.#filled = 0;
        onBytes(bytes);
      },
    });
    await Promise.all(this.#inFlight.splice(0));
  }

  close(): void {
    for (const buffer of this.#staging) {
      this.gpu.memory.free(buffer);
    }
    this.finite.close();
    this.stream.close();
  }
}
