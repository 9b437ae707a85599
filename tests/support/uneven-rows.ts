import { relativeError } from './gpu.ts';
import type { Random } from './random.ts';

/** Rows far below and above what f16 can hold. */
export const magnitude = (row: number): number => 10 ** ([-12, 0, 6][row % 3] ?? 0);

/** Random rows of such magnitudes. */
export function uneven(random: Random, rows: number, width: number): Float32Array {
  return random.normals(rows * width).map((v, i) => v * magnitude(Math.floor(i / width)));
}

/** The largest relative error of a row: the small rows count as much as the large ones. */
export function worstRow(out: Float32Array, expected: Float64Array, width: number): number {
  let worst = 0;
  for (let begin = 0; begin < expected.length; begin += width) {
    const error = relativeError(out.subarray(begin, begin + width), expected.subarray(begin, begin + width));
    worst = error > worst || Number.isNaN(error) ? error : worst;
    if (Number.isNaN(worst)) {
      break;
    }
  }
  return worst;
}
