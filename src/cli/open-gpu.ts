import { UserError } from '../formats/user-error.ts';
import type { Gpu } from '../gpu/device.ts';
import type { Display } from './display.ts';
import { openNodeGpu } from './node-gpu.ts';

/** A bug of Retune's, not of the user's. */
export class BugError extends Error {
  override readonly name = 'BugError';
}

/**
 * Opens a device, names it, lets `work` compute on it and closes it. Throws UserError where the device is lost on the
 * way, and BugError where WebGPU refused a call that was made.
 */
export async function withGpu<T>(
  display: Display,
  goOn: string,
  work: (open: () => Promise<Gpu>) => Promise<T>,
): Promise<T> {
  let gpu: Gpu | undefined;
  let lose: (error: UserError) => void;
  const lost = new Promise<never>((_, reject) => (lose = reject));
  const open = async (): Promise<Gpu> => {
    const opened = await openNodeGpu();
    gpu = opened;
    display.line(`GPU: ${opened.name}`);
    if (opened.software)
      display.line('Note: this is a software device: it computes on the CPU, correctly but very slowly.');
    void opened.lost.then(({ message, reason }) =>
      lose(new UserError(`${opened.name}: the device was lost (${message || reason}); ${goOn}.`)),
    );
    return opened;
  };
  try {
    const result = await Promise.race([work(open), lost]);
    checkErrors(gpu);
    return result;
  } finally {
    gpu?.close();
  }
}

function checkErrors(gpu: Gpu | undefined): void {
  if (gpu && gpu.errors.length > 0)
    throw new BugError(`WebGPU refused ${gpu.errors.length} calls: ${gpu.errors.join('; ')}`);
}
