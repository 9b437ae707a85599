/** Steps over which the speed is averaged. */
const WINDOW = 20;

/** Tokens per second over the latest steps, and the remaining time at that speed. */
export class Speedometer {
  #steps: { tokens: number; seconds: number }[] = [];
  #tokens = 0;
  #count = 0;

  add(tokens: number, seconds: number): void {
    this.#steps.push({ tokens, seconds });
    if (this.#steps.length > WINDOW) {
      this.#steps.shift();
    }
    this.#tokens += tokens;
    this.#count++;
  }

  get tokensPerSecond(): number {
    const seconds = this.#steps.reduce((sum, step) => sum + step.seconds, 0);
    return this.#steps.reduce((sum, step) => sum + step.tokens, 0) / Math.max(seconds, 1e-9);
  }

  /** Seconds that `steps` more steps will take. */
  secondsLeft(steps: number): number {
    return this.#count === 0 ? Infinity : (steps * this.#tokens) / this.#count / this.tokensPerSecond;
  }
}
