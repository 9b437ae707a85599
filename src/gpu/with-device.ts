import type { Gpu } from './device.ts';

/** Rejects as soon as one of its devices is lost. */
export class LossWatch {
  /** Rejects with the error that `describe` returns for a loss; never resolves. */
  readonly lost: Promise<never>;
  readonly #describe: (gpu: Gpu, why: string) => Error;
  #lose!: (error: Error) => void;

  constructor(describe: (gpu: Gpu, why: string) => Error) {
    this.#describe = describe;
    this.lost = new Promise((_, reject) => (this.#lose = reject));
    // A device may be lost while nobody is waiting.
    this.lost.catch(() => undefined);
  }

  add(gpu: Gpu): Gpu {
    void gpu.lost.then(({ message, reason }) => this.#lose(this.#describe(gpu, message || reason)));
    return gpu;
  }

  /** Resolves like `work`, or rejects first: work on a lost device may never settle. */
  race<T>(work: Promise<T>): Promise<T> {
    // It fails without its device, when nobody awaits it any more.
    work.catch(() => undefined);
    return Promise.race([work, this.lost]);
  }
}

/**
 * Runs `work`, which opens its device through its argument, and closes the device at the end. Rejects with the
 * error that `describe` returns if the device is lost.
 */
export async function withDevice<T>(
  open: () => Promise<Gpu>,
  describe: (gpu: Gpu, why: string) => Error,
  work: (open: () => Promise<Gpu>) => Promise<T>,
): Promise<T> {
  const watch = new LossWatch(describe);
  const opened: Gpu[] = [];
  try {
    return await watch.race(
      work(async () => {
        const gpu = await open();
        opened.push(gpu);
        return watch.add(gpu);
      }),
    );
  } finally {
    for (const gpu of opened) {
      gpu.close();
    }
  }
}
