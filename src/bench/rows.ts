import { Xoshiro128 } from '../formats/xoshiro128.ts';
import type { PlacedRow } from '../text/packing.ts';

/** Rows per step of the recipe. */
export const ROWS = 16;

/** Sixteen rows of `least` to `most` tokens, all trained: the same ones for every model and machine. */
export function mixedRows(vocab: number, least: number, most: number): PlacedRow[] {
  const random = Xoshiro128.seeded(42);
  return Array.from({ length: ROWS }, (_, index) => {
    // tests/bench/peft_speed.py generates rows of the same lengths.
    const length = least + ((337 * index + 101) % (most - least + 1));
    const ids = Uint32Array.from({ length }, () => random.u32() % vocab);
    const trained = new Uint8Array(length).fill(1);
    return { index, row: { ids, trained, line: index + 1, place: index + 1, cut: false } };
  });
}
