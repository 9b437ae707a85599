import { get, set, type UseStore } from 'idb-keyval';
import type { TuningCache, Winners } from '../gpu/tuning/cache.ts';

const TUNING = 'tuning/';

/** The winners of this browser's devices, in its database. Another version compiles kernels otherwise: it races anew. */
export const browserTuning = (store: UseStore, browser = navigator.userAgent): TuningCache => {
  const key = (device: string) => `${TUNING}${browser}/${device}`;
  return {
    get: (device) => get<Winners>(key(device), store),
    set: (device, winners) => set(key(device), winners, store),
  };
};
