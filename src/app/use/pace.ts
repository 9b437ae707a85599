/** Seconds over which the speed is averaged, and before which none is told. */
const [WINDOW, SOON] = [10, 1];

/** The speed of work in units per second, over its latest seconds. */
export class Pace {
  readonly #now: () => number;
  #points: { seconds: number; done: number }[] = [];

  /** `now` in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  add(done: number): void {
    const seconds = this.#now() / 1000;
    this.#points.push({ seconds, done });
    const begin = this.#points.findLastIndex((point) => seconds - point.seconds >= WINDOW);
    this.#points = this.#points.slice(Math.max(0, begin));
  }

  /** undefined until it can be told. */
  get perSecond(): number | undefined {
    const [first, last] = [this.#points.at(0), this.#points.at(-1)];
    const seconds = first && last ? last.seconds - first.seconds : 0;
    return seconds < SOON ? undefined : (last!.done - first!.done) / seconds;
  }
}
