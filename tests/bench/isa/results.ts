import type { Facts } from './listing.ts';
import type { TargetName } from './targets.ts';

/** What a compiler made of one pipeline. */
export interface KernelResult extends Facts {
  label: string;
}

/** One target's kernels, as compiled at one time. */
export interface TargetResult {
  date: string;
  /** Version of Mesa's Debian package. */
  mesa: string | undefined;
  kernels: KernelResult[];
  /** What could not be compiled, and why. */
  failed: string[];
}

export type Results = Partial<Record<TargetName, TargetResult>>;
