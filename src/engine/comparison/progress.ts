import type { TestProgress } from '../protocol/comparison.ts';

/** Milliseconds between two reports. */
const INTERVAL = 100;

/** The speed of a test, and the time left at that speed. */
export class TestMeter {
  #total: number;
  readonly #now: () => number;
  #answered: number;
  /** Answers and their tokens since this start, and tokens of all answers, also those under way. */
  #fresh = { answers: 0, tokens: 0 };
  #tokens = 0;
  #ofVersion = { version: -1, tokens: 0 };
  #begun: number | undefined;
  #reportedAt = -Infinity;

  /** `answered` of `total` answers are there already; `now` in milliseconds. */
  constructor(answered: number, total: number, now = () => performance.now()) {
    this.#answered = answered;
    this.#total = total;
    this.#now = now;
  }

  /** Takes the tokens that a version has generated so far; undefined where it is too early for another report. */
  tokens(version: number, tokens: number): TestProgress | undefined {
    if (version !== this.#ofVersion.version) {
      this.#ofVersion = { version, tokens: 0 };
    }
    // The clock starts when the first version does, so that loading does not count.
    this.#begun ??= this.#now();
    this.#tokens += tokens - this.#ofVersion.tokens;
    this.#ofVersion.tokens = tokens;
    if (this.#now() - this.#reportedAt < INTERVAL) {
      return undefined;
    }
    this.#reportedAt = this.#now();
    return this.#progress();
  }

  answer(tokens: number): TestProgress {
    this.#answered++;
    this.#fresh = { answers: this.#fresh.answers + 1, tokens: this.#fresh.tokens + tokens };
    return this.#progress();
  }

  /** A version failed: that many answers will never come. */
  failed(missing: number): void {
    this.#total -= missing;
  }

  #progress(): TestProgress {
    const seconds = (this.#now() - (this.#begun ?? this.#now())) / 1000;
    const tokensPerSecond = seconds > 0 ? this.#tokens / seconds : 0;
    const { answers, tokens } = this.#fresh;
    const left = ((this.#total - this.#answered) * tokens) / answers - (this.#tokens - tokens);
    return {
      version: this.#ofVersion.version,
      answered: this.#answered,
      total: this.#total,
      tokensPerSecond,
      secondsLeft: answers > 0 && tokensPerSecond > 0 ? Math.max(0, left / tokensPerSecond) : Infinity,
    };
  }
}
