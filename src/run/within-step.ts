import type { Pass } from '../text/packing.ts';
import type { RunEvent } from './events.ts';
import type { Speedometer } from './speedometer.ts';

/** A step that is over by then is told as a whole only. */
const SHORT_SECONDS = 2;

/** Tells how far a step is, pass by pass, where it takes seconds. */
export class WithinStep {
  readonly #passes: readonly Pass[];
  readonly #place: { step: number; maxSteps: number };
  #passed = 0;

  constructor(passes: readonly Pass[], place: { step: number; maxSteps: number }) {
    this.#passes = passes;
    this.#place = place;
  }

  /** After each pass, in order; `seconds`: since the step began. */
  passed(seconds: number, speed: Speedometer, emit: (event: RunEvent) => void): void {
    const all = this.#passes;
    const before = all.slice(0, ++this.#passed);
    if (seconds < SHORT_SECONDS || before.length === all.length) {
      return;
    }
    const { step, maxSteps } = this.#place;
    const so = { done: tokensOf(before), tokens: tokensOf(all), seconds };
    emit({
      type: 'rows',
      progress: {
        step,
        maxSteps,
        done: rowsOf(before),
        total: rowsOf(all),
        ...speed.within(so, maxSteps - step),
      },
    });
  }
}

const tokensOf = (passes: readonly Pass[]): number => passes.reduce((sum, { ids }) => sum + ids.length, 0);

/** Every row of a pass begins at position 0. */
const rowsOf = (passes: readonly Pass[]): number =>
  passes.reduce((sum, { positions }) => sum + positions.filter((position) => position === 0).length, 0);
