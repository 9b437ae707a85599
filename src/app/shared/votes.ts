// References: E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22 (1927);
// L. D. Brown, T. T. Cai, A. DasGupta, "Interval Estimation for a Binomial Proportion", Statistical Science 16 (2001);
// R. Durstenfeld, "Algorithm 235: Random permutation", CACM 7 (1964).
import { Xoshiro128 } from '../../formats/xoshiro128.ts';

/** The 97.5% point of the normal distribution. */
const Z = 1.959963984540054;

/** Votes between two versions. */
export interface VoteCount {
  a: number;
  b: number;
  same: number;
}

/** How votes between two versions fell. */
export interface VoteResult {
  /** Share of b among the votes for one of the two, and its 95% interval. */
  share: number;
  interval: readonly [low: number, high: number];
  verdict: 'a' | 'b' | 'open';
}

/** Undefined where no vote is for one of the two. */
export function voteResult({ a, b }: VoteCount): VoteResult | undefined {
  if (a + b === 0) {
    return undefined;
  }
  const interval = wilsonInterval(b, a + b);
  const [low, high] = interval;
  return { share: b / (a + b), interval, verdict: low > 0.5 ? 'b' : high < 0.5 ? 'a' : 'open' };
}

/** Wilson's 95% score interval of a share: `k` of `n`, which is above 0. */
export function wilsonInterval(k: number, n: number): readonly [low: number, high: number] {
  const share = k / n;
  const z2 = (Z * Z) / n;
  const center = (share + z2 / 2) / (1 + z2);
  const half = (Z * Math.sqrt((share * (1 - share)) / n + z2 / (4 * n))) / (1 + z2);
  // Rounding must not leave what a share can be.
  return [k === 0 ? 0 : Math.max(0, center - half), k === n ? 1 : Math.min(1, center + half)];
}

/** The items in an order that only `seed`, an integer below 2³², and `turn` determine. */
export function shuffled<T>(items: readonly T[], seed: number, turn: number): T[] {
  // The turn's own seed, so that the order of one turn tells nothing of the next.
  const random = Xoshiro128.seeded((seed ^ Math.imul(turn + 1, 0x9e3779b1)) >>> 0);
  const all = [...items];
  for (let i = all.length - 1; i > 0; i--) {
    const j = Math.floor(random.uniform() * (i + 1));
    [all[i], all[j]] = [all[j]!, all[i]!];
  }
  return all;
}
