/** What the user asks of a running run; it listens between two passes. */
export class RunControl {
  readonly #stop = new AbortController();
  #paused = false;
  #checkpointWanted = false;
  #wake: () => void = () => undefined;

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

  /**
   * Resolves when the run shall go on; meanwhile it keeps the checkpoint that was asked for. `gone` is given where
   * the device is lost and nobody needs the answer any more.
   */
  async hold(save: (() => Promise<void>) | undefined, gone: AbortSignal): Promise<void> {
    while (!this.signal.aborted && !gone.aborted) {
      if (this.#checkpointWanted && save) {
        this.#checkpointWanted = false;
        await save();
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
