import { UserError } from '../../formats/user-error.ts';
import type { Gpu } from '../../gpu/device.ts';
import { LossWatch } from '../../gpu/with-device.ts';
import { OutOfMemoryError, TRAINING_REMEDY } from '../../run/plan/memory-plan.ts';

/** One attempt at the work, on its own device. */
export interface Attempt {
  openGpu: () => Promise<Gpu>;
  /** Aborted once the device is lost: what this attempt still does no longer counts. */
  gone: AbortSignal;
}

export interface Recovery {
  /** Requests a device; undefined where the browser refuses one for now. */
  request: () => Promise<Gpu | undefined>;
  /** Tells the user what is happening. */
  note: (text: string) => void;
  /** Milliseconds. */
  now: () => number;
  sleep: (ms: number) => Promise<void>;
  /** Ends the work and every wait; the call rejects with its reason. */
  signal: AbortSignal;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
/** Losses within this time that end the work. */
const MAX_LOSSES = 3;
const LOSSES_WITHIN = 10 * MINUTE;
/** Chrome refuses an adapter for about two minutes after its GPU process crashed a second time. */
const ADAPTER_PATIENCE = 3 * MINUTE;
const BETWEEN_REQUESTS = 5 * SECOND;
/** A call to a lost device may fail shortly before the loss itself is reported. */
const LOSS_REPORTED_WITHIN = SECOND;
/** Promises that a lost device has not settled by then never will. */
const SETTLED_WITHIN = 5 * SECOND;

/** The device was lost, or had no memory left. */
class DeviceLoss extends Error {}

/**
 * Does `work`, and again from its last checkpoint whenever the device is lost. Throws UserError where the device is
 * lost three times within ten minutes, or refused for three minutes.
 */
export async function recovering<T>(work: (attempt: Attempt) => Promise<T>, recovery: Recovery): Promise<T> {
  let losses: number[] = [];
  for (;;) {
    const on = new Device(recovery);
    const running = work({ openGpu: () => on.open(), gone: on.gone });
    try {
      const result = await on.race(running);
      on.checkErrors();
      return result;
    } catch (error) {
      const loss = await on.lossBehind(error, losses.length > 0);
      if (!loss) {
        throw error;
      }
      on.giveUp();
      await Promise.race([running.catch(() => undefined), recovery.sleep(SETTLED_WITHIN)]);
      recovery.signal.throwIfAborted();
      const now = recovery.now();
      losses = [...losses.filter((time) => now - time < LOSSES_WITHIN), now];
      if (losses.length >= MAX_LOSSES) {
        throw new UserError(
          `${on.name}: lost three times within ten minutes (${loss.message}); ${TRAINING_REMEDY}, then resume from the last checkpoint.`,
        );
      }
      recovery.note(`${on.name} was lost (${loss.message}); resuming from the last checkpoint.`);
    } finally {
      on.close();
    }
  }
}

/** The device of one attempt. */
class Device {
  readonly #losses = new LossWatch((_, why) => new DeviceLoss(why));
  readonly #recovery: Recovery;
  readonly #gone = new AbortController();
  #gpu: Gpu | undefined;

  constructor(recovery: Recovery) {
    this.#recovery = recovery;
  }

  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Resolves with `work`, or rejects with a DeviceLoss. */
  race<T>(work: Promise<T>): Promise<T> {
    return this.#losses.race(work);
  }

  get name(): string {
    return this.#gpu?.name ?? 'The GPU';
  }

  /** Asks for a device until there is one. */
  async open(): Promise<Gpu> {
    const { request, note, now, sleep, signal } = this.#recovery;
    const begun = now();
    for (let requests = 1; ; requests++) {
      const gpu = await request();
      if (gpu) {
        this.#gpu = gpu;
        return this.#losses.add(gpu);
      }
      if (requests === 1) {
        note('The browser offers no GPU at the moment; retrying for three minutes.');
      }
      if (now() - begun >= ADAPTER_PATIENCE) {
        throw new UserError(
          'The browser has offered no GPU for three minutes; restart it, or look at chrome://gpu for the reason, then resume from the last checkpoint.',
        );
      }
      await sleep(BETWEEN_REQUESTS);
      signal.throwIfAborted();
    }
  }

  /** The loss that an error comes from, if it does; `again`: the work has been on a device before. */
  async lossBehind(error: unknown, again: boolean): Promise<DeviceLoss | undefined> {
    if (error instanceof DeviceLoss) {
      return error;
    }
    // Before the first loss, too little memory is for the user to fix; after it, the old device may not be gone yet.
    if (error instanceof OutOfMemoryError) {
      return again ? new DeviceLoss('too little memory') : undefined;
    }
    const { signal, sleep } = this.#recovery;
    const stopped = signal.aborted && error === signal.reason;
    if (!this.#gpu || stopped || error instanceof UserError) {
      return undefined;
    }
    const reported = this.#losses.lost.catch((loss: DeviceLoss) => loss);
    const loss = await Promise.race([reported, sleep(LOSS_REPORTED_WITHIN)]);
    if (loss) {
      return loss;
    }
    return this.#gpu.outOfMemory ? new DeviceLoss('too little memory') : undefined;
  }

  giveUp(): void {
    this.#gone.abort();
  }

  /** Calls that WebGPU refused are bugs. */
  checkErrors(): void {
    const errors = this.#gpu?.errors ?? [];
    if (errors.length > 0) {
      throw new Error(`WebGPU refused ${errors.length} calls: ${errors.join('; ')}`);
    }
  }

  close(): void {
    this.#gpu?.close();
  }
}
