import { beforeEach, expect, it, vi } from 'vitest';
import { RunJournal, withTimes } from '../../../src/engine/runs/run-journal.ts';
import type { LogEntry } from '../../../src/formats/trainer-state.ts';
import type { RunEvent } from '../../../src/run/events.ts';
import type { RunRecords, StoredRun } from '../../../src/storage/run-records.ts';

beforeEach(() => void vi.useFakeTimers());

const LOSS: LogEntry = { step: 2, epoch: 1, loss: 2.5 };
const EVAL: LogEntry = { step: 2, epoch: 1, eval_loss: 2.25 };
const END: LogEntry = { step: 2, epoch: 1, train_loss: 2.5 };

const journalOf = (log: readonly LogEntry[]) =>
  new RunJournal({ put: async () => undefined } as unknown as RunRecords, { log } as unknown as StoredRun);
const logged = (entry: LogEntry): RunEvent => ({ type: 'log', entry });
const facts = (resumedStep: number, history?: LogEntry[]) =>
  ({ type: 'facts', facts: { resumedStep, maxSteps: 9, history } }) as unknown as RunEvent;

it('keeps with each entry of a log when it was logged', () => {
  const journal = journalOf([]);
  for (const [time, entry] of [LOSS, EVAL, END].entries()) {
    vi.setSystemTime(time + 1);
    journal.hear(logged(entry));
  }
  const timed = [
    { ...LOSS, time: 1 },
    { ...EVAL, time: 2 },
    { ...END, time: 3 },
  ];
  expect(journal.record.log).toEqual(timed);
  expect(withTimes([LOSS, EVAL, END], timed)).toEqual(timed);
});

it('keeps them when it resumes, and takes new ones for steps that are repeated', () => {
  const later = { step: 3, epoch: 1.5, loss: 2, time: 9 };
  const journal = journalOf([{ ...LOSS, time: 1 }, EVAL, later]);
  journal.hear(facts(2, [LOSS, EVAL]));
  expect(journal.record.log).toEqual([{ ...LOSS, time: 1 }, EVAL]);
  vi.setSystemTime(77);
  journal.hear(logged({ step: 3, epoch: 1.5, loss: 2 }));
  expect(journal.record.log.at(-1)).toEqual({ ...later, time: 77 });
  journal.hear(facts(2));
  expect(journal.record.log).toEqual([{ ...LOSS, time: 1 }, EVAL]);
});

it('gives the summary the time of the entry before it where the page ended before its own was kept', () => {
  const seen = [LOSS, { ...EVAL, time: 2 }];
  const journal = journalOf(seen);
  journal.hear(facts(2, [LOSS, EVAL, END]));
  expect(journal.record.log).toEqual([...seen, { ...END, time: 2 }]);
  expect(withTimes([LOSS, END], [LOSS])).toEqual([LOSS, END]);
});
