import { UserError } from '../formats/user-error.ts';
import type { Gpu } from '../gpu/device.ts';
import { LossWatch } from '../gpu/with-device.ts';
import type { Section } from './report.ts';

/** The device is gone; nothing more can be measured. */
export class DeviceLostError extends UserError {}

/** A call to a lost device fails before, or soon after, the loss itself is told. */
const TOLD_MS = 1000;

/** Opens devices and hears of their loss. */
export class Devices {
  readonly #open: () => Promise<Gpu>;
  readonly #losses = new LossWatch(
    ({ name }, why) =>
      new DeviceLostError(
        `${name}: the device was lost (${why}), and the benchmark ends here; close other programs that use the GPU, or measure the rest by itself with --section, --model and --tokens.`,
      ),
  );

  constructor(open: () => Promise<Gpu>) {
    this.#open = open;
  }

  readonly open = async (): Promise<Gpu> => this.#losses.add(await this.#open());

  /** What `work` resolves to. Throws DeviceLostError where a device is lost meanwhile. */
  async unlessLost<T>(work: Promise<T>): Promise<T> {
    try {
      return await this.#losses.race(work);
    } catch (error) {
      if (!(error instanceof UserError))
        await Promise.race([this.#losses.lost, new Promise((resolve) => setTimeout(resolve, TOLD_MS))]);
      throw error;
    }
  }

  /** The tables that are measured on a device of their own, which is closed at the end. Throws UserError. */
  async *tables(measure: (gpu: Gpu) => AsyncGenerator<Section>): AsyncGenerator<Section> {
    const gpu = await this.open();
    try {
      const measured = measure(gpu);
      for (;;) {
        const next = await this.unlessLost(measured.next());
        checkDevice(gpu);
        if (next.done) return;
        yield next.value;
      }
    } finally {
      gpu.close();
    }
  }
}

/** Throws where the device refused something that no error scope was looking at: what was measured says nothing. */
function checkDevice({ name, errors, outOfMemory }: Gpu): void {
  if (outOfMemory)
    throw new UserError(
      `${name} has too little memory; close other programs that use the GPU, or choose a smaller --model, fewer --tokens or less --memory.`,
    );
  if (errors.length > 0) throw new Error(`WebGPU refused ${errors.length} calls: ${errors.join('; ')}`);
}
