import type { LogEntry } from '../../formats/trainer-state.ts';
import type { RunEvent } from '../../run/events.ts';
import { withSample } from '../../run/samples/film.ts';
import type { RunRecords, StoredRun } from '../../storage/run-records.ts';

/** What tells an entry from the others of its step. */
const keyOf = ({ step, loss, eval_loss }: LogEntry): string =>
  `${step} ${eval_loss !== undefined ? 'eval' : loss !== undefined ? 'loss' : 'end'}`;

/**
 * A log_history with the times of the entries that were seen when they were logged, in milliseconds since 1970: the
 * record's own, since transformers' has none. The run's summary follows the last entry at once; a page that ended
 * between the checkpoint that has it and the record has kept the latter's time only.
 */
export function withTimes(log: readonly LogEntry[], seen: readonly LogEntry[]): LogEntry[] {
  const times = new Map(seen.map((entry) => [keyOf(entry), entry['time']]));
  return log.map((entry, i) => {
    const before = entry.train_loss === undefined ? undefined : log[i - 1];
    const time = times.get(keyOf(entry)) ?? (before && times.get(keyOf(before)));
    return time === undefined ? entry : { ...entry, time };
  });
}

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
        const { resumedStep: step, maxSteps, history, baseline, samples } = event.facts;
        const { log: before } = this.record;
        const log = history ? withTimes(history, before) : before.filter((entry) => entry.step <= step);
        this.#change({ step, maxSteps, log, baseline, samples });
        break;
      }
      case 'step':
        this.record = { ...this.record, step: event.progress.step };
        break;
      case 'baseline':
        this.#change({ baseline: event.evalLoss });
        break;
      case 'log':
        this.#change({ log: [...this.record.log, { ...event.entry, time: Date.now() }] });
        break;
      case 'sample':
        this.#change({ samples: withSample(this.record.samples, event) });
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
