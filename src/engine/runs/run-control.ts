import type { SaveNow } from '../../run/options.ts';

/** After so long without a checkpoint one is kept for rescue: a lost device or tab costs no more than this. */
const RESCUE_AFTER_MS = 10 * 60_000;

/** What the user asks of a running run; it pauses between two passes, and stops within one. */
export class RunControl {
  readonly #now: () => number;
  readonly #stop = new AbortController();
  #paused = false;
  #checkpointWanted = false;
  /** When the latest checkpoint was kept, or tried. */
  #kept: number | undefined;
  #wake: () => void = () => undefined;

  /** `now` in milliseconds. */
  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  /** Given once the user stops the run. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  pause(): void {
    this.#paused = true;
  }

  unpause(): void {
    this.#paused = false;
    this.#wake();
  }

  stop(): void {
    this.#stop.abort();
    this.#wake();
  }

  checkpointNow(): void {
    this.#checkpointWanted = true;
    this.#wake();
  }

  /** Hears that a checkpoint was kept. */
  checkpointKept(): void {
    this.#kept = this.#now();
  }

  /**
   * Resolves when the run shall go on; meanwhile it keeps the checkpoint that was asked for, or one for rescue where
   * the latest is old. `gone` is given where the device is lost and nobody needs the answer any more.
   */
  async hold(save: SaveNow, gone: AbortSignal): Promise<void> {
    this.#kept ??= this.#now();
    while (!this.signal.aborted && !gone.aborted) {
      if (this.#checkpointWanted) {
        this.#checkpointWanted = false;
        await save();
      } else if (this.#now() - this.#kept >= RESCUE_AFTER_MS) {
        this.#kept = this.#now();
        await save(true);
      } else if (this.#paused) await this.#change(gone);
      else return;
    }
  }

  #change(gone: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      gone.addEventListener('abort', () => resolve(), { once: true });
    });
  }
}
