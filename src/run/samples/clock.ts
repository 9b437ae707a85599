/** How long answering the sample prompts still takes, by how long it took so far. */
export class SampleClock {
  readonly #maxSteps: number;
  readonly #due: (step: number) => boolean;
  #seconds = 0;
  #times = 0;
  /** The step that `#left` was counted for. */
  #counted = -1;
  #left = 0;

  /** `due`: the steps after which they are answered; after the last they always are. */
  constructor(maxSteps: number, due: (step: number) => boolean) {
    this.#maxSteps = maxSteps;
    this.#due = due;
  }

  add(seconds: number): void {
    this.#seconds += seconds;
    this.#times++;
  }

  /** 0 until they were answered once. They are still to be answered after `step` itself. */
  secondsLeft(step: number): number {
    return this.#times === 0 ? 0 : (this.#timesFrom(step) * this.#seconds) / this.#times;
  }

  /** A run asks step by step. */
  #timesFrom(step: number): number {
    const isDue = (at: number): boolean => at === this.#maxSteps || this.#due(at);
    if (this.#counted >= 0 && step === this.#counted + 1) {
      this.#left -= Number(isDue(this.#counted));
    } else if (step !== this.#counted) {
      this.#left = 0;
      for (let at = step; at <= this.#maxSteps; at++) {
        this.#left += Number(isDue(at));
      }
    }
    this.#counted = step;
    return this.#left;
  }
}
