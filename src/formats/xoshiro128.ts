/**
 * xoshiro128**: uniform 32-bit integers, the same on every platform.
 *
 * Reference: D. Blackman, S. Vigna, "Scrambled Linear Pseudorandom Number Generators", arXiv:1805.01407.
 */
export class Xoshiro128 {
  readonly #state: Uint32Array;

  constructor(state: readonly [number, number, number, number]) {
    this.#state = Uint32Array.from(state);
  }

  /** A generator whose state is expanded from a 32-bit seed by splitmix32. */
  static seeded(seed: number): Xoshiro128 {
    let counter = seed >>> 0;
    const next = (): number => {
      counter = (counter + 0x9e3779b9) >>> 0;
      let mixed = Math.imul(counter ^ (counter >>> 16), 0x21f0aaad);
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
      return (mixed ^ (mixed >>> 15)) >>> 0;
    };
    return new Xoshiro128([next(), next(), next(), next()]);
  }

  u32(): number {
    const s = this.#state;
    const result = Math.imul(rotateLeft(Math.imul(s[1]!, 5), 7), 9) >>> 0;
    const shifted = s[1]! << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= shifted;
    s[3] = rotateLeft(s[3]!, 11);
    return result;
  }

  /** Uniform in [0, 1), a multiple of 2^-24 and therefore exact in f32. */
  uniform(): number {
    return (this.u32() >>> 8) / 2 ** 24;
  }
}

function rotateLeft(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits));
}
