import type { Gpu } from '../device.ts';

/** Raised when kernels or variants change so much that stored results may no longer hold. */
const KERNELS = 3;

/** A device's best variants, by trial. */
export type BestVariants = Readonly<Record<string, string>>;

/** Stores the tuning results of devices, so that each trial runs once. Results that it loses are measured again. */
export interface TuningCache {
  get(device: string): Promise<BestVariants | undefined>;
  set(device: string, best: BestVariants): Promise<void>;
}

/** The cache key of a device: its name and driver, where known, and the version of the kernels. */
export function deviceKey({ name, device }: Gpu): string {
  // Dawn and Chrome's developer features reveal the driver; WebGPU itself does not.
  const { vendor, architecture, driver } = device.adapterInfo as GPUAdapterInfo & { driver?: string };
  return [name, vendor, architecture, driver, `kernels ${KERNELS}`].filter(Boolean).join(', ');
}
