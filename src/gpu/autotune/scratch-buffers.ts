import { UserError } from '../../formats/user-error.ts';
import { Xoshiro128 } from '../../formats/xoshiro128.ts';
import type { Gpu } from '../device.ts';
import { refusal } from '../error-scopes.ts';
import type { Nf4Weight } from '../kernels/linear/nf4-operands.ts';
import { type BufferView, type GpuBuffer, view } from '../memory.ts';
import type { Shape } from './kernel-selection.ts';
import { TrialDropped } from './trial.ts';

/** Random numbers generated once and then repeated: a prime number of them, so that rows of any width differ. */
const NOISE = 65_521;

/** Temporary buffers filled with random numbers, or left empty where nothing will be computed. */
export class ScratchBuffers {
  readonly #gpu: Gpu;
  readonly #empty: boolean;
  readonly #buffers: GpuBuffer[] = [];
  readonly #random = Xoshiro128.seeded(1);

  constructor(gpu: Gpu, { empty = false } = {}) {
    this.#gpu = gpu;
    this.#empty = empty;
  }

  /** The result of `make`, which allocates from these buffers. Throws TrialDropped if the device is out of memory. */
  async fillInputs<T>(make: (buffers: this) => T): Promise<T> {
    let made: { call: T } | undefined;
    let tooLarge: string | undefined;
    const refused = await refusal(this.#gpu.device, () => {
      try {
        made = { call: make(this) };
      } catch (error) {
        if (!(error instanceof UserError)) {
          throw error;
        }
        tooLarge = error.message;
      }
    });
    if (!made || refused !== undefined) {
      throw new TrialDropped(tooLarge ?? refused!);
    }
    return made.call;
  }

  floats(count: number): BufferView {
    return this.#filled(count, (length) => Float32Array.from({ length }, () => this.#value()));
  }

  /** Two views of `count` floats in one buffer, each aligned for binding: the view of both, and each. */
  twice(count: number): [all: BufferView, first: BufferView, second: BufferView] {
    const at = 64 * Math.ceil(count / 64);
    const all = this.floats(at + count);
    return [all, view(all.buffer, 0, 4 * count), view(all.buffer, 4 * at, 4 * count)];
  }

  /** `count` pairs of floats; the first of each pair is close to `first`. */
  pairs(count: number, first: number): BufferView {
    return this.#filled(
      count,
      (length) => Float32Array.from({ length }, (_, i) => (i % 2 === 0 ? first : 0) + this.#value()),
      2,
    );
  }

  words(values: readonly number[]): BufferView {
    return this.#filled(values.length, () => Uint32Array.from(values));
  }

  /** bf16, packed in pairs: the upper halves of floats. */
  halves(count: number): BufferView {
    return this.#filled(count / 2, (length) =>
      Uint32Array.from({ length }, () => {
        const [even, odd] = new Uint32Array(Float32Array.of(this.#value(), this.#value()).buffer);
        return (even! >>> 16) | (odd! & 0xffff0000);
      }),
    );
  }

  weight({ columns, depth }: Shape, nested: boolean): Nf4Weight {
    const blocks = Math.ceil((columns * depth) / 64);
    const absmaxAt = Math.ceil(blocks / 4);
    const mapAt = absmaxAt + Math.ceil(blocks / 256);
    return {
      columns,
      depth,
      codes: this.#filled((columns * depth) / 8, (length) =>
        Uint32Array.from({ length }, () => this.#random.u32()),
      ),
      // Any float serves as codes of scales, absmax or map.
      scales: this.floats(nested ? mapAt + 256 : blocks),
      ...(nested ? { nested: { absmaxAt, mapAt, shift: 8, offset: 0.5 } } : {}),
    };
  }

  /** Uniform between -1/2 and 1/2. */
  #value(): number {
    return this.#random.uniform() - 0.5;
  }

  close(): void {
    for (const buffer of this.#buffers) {
      this.#gpu.memory.free(buffer);
    }
  }

  /** `count` items of `size` words each, of which `make` gives the words of as many as differ. */
  #filled(
    count: number,
    make: (words: number) => Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>,
    size = 1,
  ): BufferView {
    const words = size * count;
    const buffer = this.#gpu.memory.allocate('autotune', 'working activations', 4 * words);
    this.#buffers.push(buffer);
    if (!this.#empty) {
      const pattern = make(size * Math.min(NOISE, count));
      for (let at = 0; at < words; at += pattern.length) {
        const written = Math.min(pattern.length, words - at);
        this.#gpu.device.queue.writeBuffer(buffer.raw, 4 * at, pattern, 0, written);
      }
    }
    return view(buffer);
  }
}
