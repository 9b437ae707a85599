import type { Gpu } from '../device.ts';

/** To be raised where a kernel or variant changes so much that what won before may not win again. */
const KERNELS = 2;

/** What was chosen for a device: the variant's name by race. */
export type BestVariants = Readonly<Record<string, string>>;

/** Where the winners of a device's races are kept, so that they are run once. What it loses is raced again. */
export interface TuningCache {
  get(device: string): Promise<BestVariants | undefined>;
  set(device: string, best: BestVariants): Promise<void>;
}

/** Under which key a device's winners are kept: it with its driver, as far as it tells, and the kernels. */
export function deviceKey({ name, device }: Gpu): string {
  // Dawn and Chrome's developer features tell the driver; WebGPU itself does not.
  const { vendor, architecture, driver } = device.adapterInfo as GPUAdapterInfo & { driver?: string };
  return [name, vendor, architecture, driver, `kernels ${KERNELS}`].filter(Boolean).join(', ');
}
