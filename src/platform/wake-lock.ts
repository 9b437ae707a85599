/** Keeps the screen awake while wanted; the browser releases the lock whenever the tab is hidden. */
export class WakeLock {
  #wanted = false;
  #lock: WakeLockSentinel | undefined;

  constructor() {
    document.addEventListener('visibilitychange', () => void this.#take());
  }

  want(wanted: boolean): void {
    if (wanted === this.#wanted) {
      return;
    }
    this.#wanted = wanted;
    if (wanted) {
      void this.#take();
    } else {
      void this.#lock?.release();
    }
  }

  async #take(): Promise<void> {
    if (!this.#wanted || document.visibilityState !== 'visible') {
      return;
    }
    if (this.#lock && !this.#lock.released) {
      return;
    }
    // A refusal (battery saver, no support) only lets the screen go dark.
    this.#lock = await navigator.wakeLock?.request('screen').catch(() => undefined);
    if (!this.#wanted) {
      await this.#lock?.release();
    }
  }
}
