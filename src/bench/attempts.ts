import { UserError } from '../formats/user-error.ts';
import type { Gpu } from '../gpu/device.ts';
import { LossWatch } from '../gpu/with-device.ts';
import type { ReportSection } from './report.ts';

/** The device was lost; nothing more can be measured. */
export class DeviceLostError extends UserError {}

/** Milliseconds to wait for a loss to be reported: a call to a lost device may fail before that. */
const TOLD_MS = 1000;

/** Opens devices and watches for their loss. */
export class Devices {
  readonly #open: () => Promise<Gpu>;
  readonly #losses = new LossWatch(
    ({ name }, why) =>
      new DeviceLostError(
        `${name}: the device was lost (${why}), and the benchmark ends here; close other programs that use the GPU, or measure the rest separately with --section, --model and --tokens.`,
      ),
  );

  constructor(open: () => Promise<Gpu>) {
    this.#open = open;
  }

  readonly open = async (): Promise<Gpu> => this.#losses.add(await this.#open());

  /** The result of `work`. Throws DeviceLostError if a device is lost meanwhile. */
  async unlessLost<T>(work: Promise<T>): Promise<T> {
    try {
      return await this.#losses.race(work);
    } catch (error) {
      if (!(error instanceof UserError)) {
        await Promise.race([this.#losses.lost, new Promise((resolve) => setTimeout(resolve, TOLD_MS))]);
      }
      throw error;
    }
  }

  /** The tables measured on a separate device, which is closed at the end. Throws UserError. */
  async *tables(measure: (gpu: Gpu) => AsyncGenerator<ReportSection>): AsyncGenerator<ReportSection> {
    const gpu = await this.open();
    try {
      const measured = measure(gpu);
      for (;;) {
        const next = await this.unlessLost(measured.next());
        checkDevice(gpu);
        if (next.done) {
          return;
        }
        yield next.value;
      }
    } finally {
      gpu.close();
    }
  }
}

/** Throws if the device refused something outside any error scope: the measurements would be meaningless. */
function checkDevice({ name, errors, outOfMemory }: Gpu): void {
  if (outOfMemory) {
    throw new UserError(
      `${name} has too little memory; close other programs that use the GPU, or choose a smaller --model, fewer --tokens or less --memory.`,
    );
  }
  if (errors.length > 0) {
    throw new Error(`WebGPU refused ${errors.length} calls: ${errors.join('; ')}`);
  }
}
