// References: M. Matsumoto, T. Nishimura, "Mersenne Twister" (1998); PyTorch, aten/src/ATen/core/MT19937RNGEngine.h
// and aten/src/ATen/native/TensorFactories.cpp (randperm_cpu).
const N = 624;
const M = 397;

/** The 32-bit Mersenne Twister, seeded like torch's CPU generator. */
class MersenneTwister {
  private readonly state = new Uint32Array(N);
  private next = N;

  /** Only the low 32 bits of `seed` (a safe integer) count, as in torch. */
  constructor(seed: number) {
    this.state[0] = seed >>> 0;
    for (let i = 1; i < N; i++) {
      const before = this.state[i - 1]!;
      this.state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
    }
  }

  /** The next number, uniform over [0, 2³²). */
  uint32(): number {
    if (this.next === N) {
      this.refill();
    }
    let y = this.state[this.next++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  private refill(): void {
    const s = this.state;
    for (let k = 0; k < N; k++) {
      const y = (s[k]! & 0x80000000) | (s[(k + 1) % N]! & 0x7fffffff);
      s[k] = s[(k + M) % N]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.next = 0;
  }
}

/** At this length, torch.randperm starts to draw 64 bits per swap (2³² / 20). */
const LONGEST = Math.floor(0xffffffff / 20);

/**
 * The permutation of 0..n−1 that `torch.randperm(n)` gives after `torch.manual_seed(seed)` on a CPU. Throws
 * RangeError if n is too large.
 */
export function randperm(n: number, seed: number): Uint32Array {
  if (n >= LONGEST) {
    throw new RangeError(`randperm(${n}): torch's 32-bit order ends at ${LONGEST - 1} rows`);
  }
  const random = new MersenneTwister(seed);
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = 0; i < n - 1; i++) {
    const j = i + (random.uint32() % (n - i));
    const held = order[i]!;
    order[i] = order[j]!;
    order[j] = held;
  }
  return order;
}
