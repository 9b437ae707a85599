import { UserError } from '../formats/user-error.ts';
import type { Gpu } from '../gpu/device.ts';
import { withDevice } from '../gpu/with-device.ts';
import type { Display } from './display.ts';
import { openNodeGpu } from './node-gpu.ts';
import { softwareFallback, type SoftwareOptions } from './software-device.ts';

/** A bug in Retune, not an error of the user. */
class BugError extends Error {
  override readonly name = 'BugError';
}

/**
 * Opens a device, a software device only if the options permit one, reports its name, runs `work` on it and closes it.
 * Throws UserError if the device is lost meanwhile, and BugError if WebGPU refused a call.
 */
export async function withGpu<T>(
  display: Display,
  { remedy, options }: { remedy: string; options: SoftwareOptions },
  work: (open: () => Promise<Gpu>) => Promise<T>,
): Promise<T> {
  let gpu: Gpu | undefined;
  const openNamed = async (): Promise<Gpu> => {
    gpu = await openNodeGpu('adapter', softwareFallback(options, display));
    display.line(`GPU: ${gpu.name}`);
    if (gpu.software) {
      display.line('Note: this is a software device: it computes on the CPU, correctly but very slowly.');
    }
    return gpu;
  };
  const lost = ({ name }: Gpu, why: string) =>
    new UserError(`${name}: the device was lost (${why}); ${remedy}.`);
  return withDevice(openNamed, lost, async (open) => {
    const result = await work(open);
    checkErrors(gpu);
    return result;
  });
}

function checkErrors(gpu: Gpu | undefined): void {
  if (gpu && gpu.errors.length > 0) {
    throw new BugError(`WebGPU refused ${gpu.errors.length} calls: ${gpu.errors.join('; ')}`);
  }
}
