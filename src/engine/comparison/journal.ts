import type { TestAnswer } from '../../comparison/batch-test.ts';
import type { StoredTest, StoredVersion, TestRecords } from '../../storage/test-records.ts';
import type { TestEvent } from '../protocol/comparison.ts';
import { testedVersion } from './results.ts';

/** Stores a running test's answers and record in order, and reports each once it is on disk. */
export class TestJournal {
  record: StoredTest;
  /** By version, then by question. */
  readonly answers: readonly Map<number, TestAnswer>[];
  readonly #records: TestRecords;
  readonly #onEvent: (event: TestEvent) => void;
  readonly #failure = new AbortController();
  #written: Promise<void> = Promise.resolve();

  constructor(
    records: TestRecords,
    record: StoredTest,
    answers: readonly (Map<number, TestAnswer> | undefined)[],
    onEvent: (event: TestEvent) => void,
  ) {
    this.#records = records;
    this.record = record;
    this.answers = record.versions.map((_, i) => answers[i] ?? new Map<number, TestAnswer>());
    this.#onEvent = onEvent;
  }

  /** Aborted, with the UserError as its reason, once something could not be stored. */
  get failed(): AbortSignal {
    return this.#failure.signal;
  }

  get answered(): number {
    return this.answers.reduce((sum, { size }) => sum + size, 0);
  }

  change(change: Partial<StoredTest>): void {
    this.record = { ...this.record, ...change };
    const { record } = this;
    this.#then(() => this.#records.put(record));
  }

  version(index: number, change: Partial<StoredVersion>): void {
    const versions = this.record.versions.map((version, i) =>
      i === index ? { ...version, ...change } : version,
    );
    this.change({ versions });
    const changed = versions[index]!;
    this.#then(async () =>
      this.#onEvent({
        type: 'version',
        version: index,
        record: testedVersion(changed, this.answers[index]!.size),
      }),
    );
  }

  /** Stores an answer, then calls `kept`; a version is finished with its last answer. */
  answer(version: number, question: number, answer: TestAnswer, kept: () => void): void {
    const { record } = this;
    this.#then(async () => {
      await this.#records.putAnswer(record, version, question, answer);
      this.answers[version]!.set(question, answer);
      kept();
      if (this.answers[version]!.size === record.questions) {
        this.version(version, { state: 'finished' });
      }
    });
  }

  /** Resolves once everything so far is on disk. Throws UserError where it could not be stored. */
  async settled(): Promise<void> {
    let last;
    while (last !== this.#written) {
      await (last = this.#written);
    }
    this.#failure.signal.throwIfAborted();
  }

  #then(work: () => Promise<void>): void {
    this.#written = this.#written
      .then(() => (this.#failure.signal.aborted ? undefined : work()))
      .catch((error: unknown) => this.#failure.abort(error));
  }
}
