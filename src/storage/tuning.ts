import { get, set, type UseStore } from 'idb-keyval';
import { UserError } from '../formats/user-error.ts';
import type { BestVariants, TuningCache } from '../gpu/autotune/tuning-results.ts';

/** What the keys of devices' tuning results begin with. */
export const TUNING = 'tuning/';

/**
 * The tuning results of this browser's devices, in its database; if that fails, devices are tuned again each time.
 * Another browser version compiles kernels differently, so it tunes again.
 */
export const browserTuning = (store: UseStore, browser = navigator.userAgent): TuningCache => {
  const key = (device: string) => `${TUNING}${browser}/${device}`;
  return {
    get: (device) => orNothing(get<BestVariants>(key(device), store)),
    set: (device, best) => orNothing(set(key(device), best, store)),
  };
};

const orNothing = <T>(asked: Promise<T>): Promise<T | undefined> =>
  asked.catch((error: unknown) => {
    if (!(error instanceof UserError)) {
      throw error;
    }
    return undefined;
  });
