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

  /**
   * Within a step of `tokens` tokens, `done` of which took `seconds`, with `steps` more to follow: the speed so far and
   * the remaining time. Until a step has ended, the one under way stands for all.
   */
  within({ done, tokens, seconds }: { done: number; tokens: number; seconds: number }, steps: number) {
    const [speed, mean] =
      this.#count === 0
        ? [done / Math.max(seconds, 1e-9), tokens]
        : [this.tokensPerSecond, this.#tokens / this.#count];
    return { tokensPerSecond: speed, secondsLeft: (tokens - done + steps * mean) / speed };
  }

  /** Seconds that `steps` more steps will take. */
  secondsLeft(steps: number): number {
    return this.#count === 0 ? Infinity : (steps * this.#tokens) / this.#count / this.tokensPerSecond;
  }
}
