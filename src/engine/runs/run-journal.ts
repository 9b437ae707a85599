import type { RunEvent } from '../../run/events.ts';
import type { RunRecords, StoredRun } from '../../storage/run-records.ts';

/** Keeps a run's record up to date with its events. */
export class RunJournal {
  record: StoredRun;
  readonly #records: RunRecords;
  #written: Promise<void> = Promise.resolve();

  constructor(records: RunRecords, record: StoredRun) {
    this.#records = records;
    this.record = record;
  }

  hear(event: RunEvent): void {
    switch (event.type) {
      case 'facts': {
        // Events after the checkpoint that the run resumes from will come again; up to there the record is right.
        const { resumedStep: step, maxSteps, history, baseline } = event.facts;
        const log = history ?? this.record.log.filter((entry) => entry.step <= step);
        this.#change({ step, maxSteps, log, baseline });
        break;
      }
      case 'step':
        this.record = { ...this.record, step: event.progress.step };
        break;
      case 'baseline':
        this.#change({ baseline: event.evalLoss });
        break;
      case 'log':
        this.#change({ log: [...this.record.log, event.entry] });
        break;
      case 'checkpoint':
        this.#change({ restarts: 0 });
        break;
    }
  }

  /** Changes the record and waits until it is written. Throws UserError where there is no space. */
  async write(change: Partial<StoredRun>): Promise<void> {
    await this.#written;
    this.record = { ...this.record, ...change };
    await this.#records.put(this.record);
  }

  #change(change: Partial<StoredRun>): void {
    this.record = { ...this.record, ...change };
    // Where there is no space, the next checkpoint says so; a stale record is corrected by the next write.
    this.#written = this.#written.then(() => this.#records.put(this.record)).catch(() => undefined);
  }
}
