import type { SaveNow } from '../../run/options.ts';

/**
 * After this long without a checkpoint a rescue checkpoint is saved: a lost device or tab costs no more than this.
 */
const RESCUE_AFTER_MS = 10 * 60_000;

/** What the user asks of a running run; it pauses between two passes, and stops within one. */
export class RunControl {
  readonly #now: () => number;
  readonly #stop = new AbortController();
  #paused = false;
  /** Resolves what waits for the checkpoint that was asked for. */
  #checkpointWanted: (() => void)[] = [];
  /** When the latest checkpoint was saved, or attempted. */
  #kept: number | undefined;
  #wake: () => void = () => undefined;

  /** `now` in milliseconds. */
  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  /** Aborted once the user stops the run. */
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

  /** Resolves once it was saved, or could not be. */
  checkpointNow(): Promise<void> {
    return new Promise((resolve) => {
      this.#checkpointWanted.push(resolve);
      this.#wake();
    });
  }

  /** Called once a checkpoint was saved. */
  checkpointKept(): void {
    this.#kept = this.#now();
  }

  /**
   * Resolves when the run may continue; meanwhile it saves the checkpoint that was asked for, or a rescue checkpoint
   * where the latest is old. `gone` is aborted where the device is lost and the answer is no longer needed.
   */
  async hold(save: SaveNow, gone: AbortSignal): Promise<void> {
    this.#kept ??= this.#now();
    while (!this.signal.aborted && !gone.aborted) {
      if (this.#checkpointWanted.length > 0) {
        const asked = this.#checkpointWanted.splice(0);
        await save();
        for (const resolve of asked) {
          resolve();
        }
      } else if (this.#now() - this.#kept >= RESCUE_AFTER_MS) {
        this.#kept = this.#now();
        await save(true);
      } else if (this.#paused) {
        await this.#change(gone);
      } else {
        return;
      }
    }
  }

  #change(gone: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      gone.addEventListener('abort', () => resolve(), { once: true });
    });
  }
}
