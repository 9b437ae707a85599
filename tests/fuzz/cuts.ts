import type { Files, Format } from './format.ts';

/** Files up to this size are cut at every byte. */
const SMALL = 2000;
const PLACES = 500;

/** Every file of a format's seeds, cut at every byte, or at 500 positions if it is large. */
export async function cutsOf(format: Format): Promise<{ length: number; at(index: number): Files }> {
  const seeds = [...(await format.seeds()), ...(format.large?.() ?? [])];
  const files = seeds.flatMap((seed) =>
    (format.cut ?? Object.keys(seed)).map((name) => ({ seed, name, size: seed[name]!.length })),
  );
  const places = files.map(({ size }) => (size <= SMALL ? size : PLACES));
  return {
    length: places.reduce((sum, count) => sum + count, 0),
    at(index) {
      let n = 0;
      let left = index;
      while (left >= places[n]!) {
        left -= places[n++]!;
      }
      const { seed, name, size } = files[n]!;
      return { ...seed, [name]: seed[name]!.subarray(0, Math.floor((left * size) / places[n]!)) };
    },
  };
}
