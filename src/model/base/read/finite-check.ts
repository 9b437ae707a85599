import { BASE_REMEDY } from '../../../formats/base-model.ts';
import { notFinite } from '../../../formats/finite.ts';
import type { TensorInfo } from '../../../formats/safetensors.ts';
import type { Gpu } from '../../../gpu/device.ts';
import { findNotFinite } from '../../../gpu/kernels/find-not-finite.ts';
import type { FloatFormat } from '../../../gpu/kernels/shared/float-format.ts';
import { type GpuBuffer, view } from '../../../gpu/memory.ts';
import { Readback } from '../../../gpu/readback.ts';
import type { Stream } from '../../../gpu/stream.ts';

/** Values of a tensor on the device, `count` from `first` on. */
interface Piece {
  readonly info: TensorInfo;
  readonly first: number;
  readonly count: number;
}

/**
 * Has the device look for values that are not finite among those that were just brought there: NaN or infinity in a
 * base would otherwise only show as a non-finite loss.
 */
export class FiniteCheck {
  readonly #stream: Stream;
  readonly #found: GpuBuffer;
  /** One for each chunk that may be on its way. */
  readonly #readbacks: Readback[];
  /** What the current chunk has been asked about, and where that lies in the order of asking. */
  #pieces: (Piece & { place: number })[] = [];
  #place = 0;
  #turn = 0;

  constructor(gpu: Gpu, stream: Stream, inFlight: number) {
    this.#stream = stream;
    this.#found = gpu.memory.allocate('not finite', 'uniforms and readback', 4);
    this.#readbacks = Array.from({ length: inFlight }, () => new Readback(gpu, 'not finite', 4));
  }

  /** Looks at a piece that lies at byte `offset` of `buffer` in this format. */
  look(piece: Piece, format: FloatFormat, buffer: GpuBuffer, offset: number): void {
    if (this.#pieces.length === 0) {
      this.#stream.clear(view(this.#found));
    }
    const place = this.#place;
    const { count } = piece;
    findNotFinite(this.#stream, { buffer, offset, count, format, found: view(this.#found), place });
    this.#pieces.push({ ...piece, place });
    this.#place += count;
  }

  /** Submits a chunk's work; resolves once the device has looked. Throws UserError naming tensor and position. */
  async submit(): Promise<void> {
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#place = 0;
    if (pieces.length === 0) {
      this.#stream.submit();
      return;
    }
    const readback = this.#readbacks[this.#turn++ % this.#readbacks.length]!;
    const bytes = await readback.read(this.#stream, view(this.#found));
    const [found] = new Uint32Array(bytes.buffer);
    if (found === 0) {
      return;
    }
    const at = ~found! >>> 0;
    const { info, first, place } = pieces.findLast((piece) => piece.place <= at)!;
    throw notFinite(info, first + at - place, BASE_REMEDY);
  }

  close(): void {
    this.#readbacks.forEach((readback) => readback.close());
    this.#stream.gpu.memory.free(this.#found);
  }
}
