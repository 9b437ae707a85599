import type { Meter } from './meter.ts';
import { Str } from './str.ts';
import type { Value } from './values.ts';

/** Text that a template, macro or block has printed so far. */
export class Output {
  readonly #meter: Meter;
  readonly #parts: Str[] = [];
  /** The template's own output, as opposed to captured text. */
  readonly isRoot: boolean;
  /** UTF-16 units written. */
  length = 0;

  constructor(meter: Meter, isRoot = false) {
    this.#meter = meter;
    this.isRoot = isRoot;
  }

  write(text: Str): void {
    if (text.length === 0) {
      return;
    }
    this.length += text.length;
    this.#meter.grow(this.length);
    this.#meter.read(text.length);
    this.#parts.push(text);
  }

  get text(): Str {
    return Str.join(this.#parts);
  }
}

/** A part of the output, in UTF-16 units. */
export interface Printed {
  begin: number;
  end: number;
}

/** Records where certain parts of the output were written. */
export class Tracks {
  /** Values whose loops are tracked. */
  readonly #watched: ReadonlyMap<Value, number>;
  /** For each tracked value, by its index: what the iterations of loops over it printed; empty if nothing. */
  readonly visits: (Printed & { number: number })[] = [];
  /** What generation blocks printed. */
  readonly generations: Printed[] = [];
  /** Whether a generation block occurred in a macro or a block that captures its text. */
  hiddenGeneration = false;

  constructor(watched: readonly Value[]) {
    this.#watched = new Map(watched.map((value, number) => [value, number]));
  }

  /** Called at the start of a loop's iteration; returns what to call at its end. */
  visit(item: Value, output: Output): (() => void) | undefined {
    const number = output.isRoot ? this.#watched.get(item) : undefined;
    if (number === undefined) {
      return undefined;
    }
    const begin = output.length;
    return () => {
      if (output.length > begin) {
        this.visits.push({ number, begin, end: output.length });
      }
    };
  }

  generated(output: Output, length: number): void {
    if (output.isRoot) {
      this.generations.push({ begin: output.length, end: output.length + length });
    } else {
      this.hiddenGeneration = true;
    }
  }
}
