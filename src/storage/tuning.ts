import { get, set, type UseStore } from 'idb-keyval';
import type { TuningCache, Winners } from '../gpu/tuning/cache.ts';

const TUNING = 'tuning/';

/** The winners of this browser's devices, in its database. */
export const browserTuning = (store: UseStore): TuningCache => ({
  get: (device) => get<Winners>(TUNING + device, store),
  set: (device, winners) => set(TUNING + device, winners, store),
});
