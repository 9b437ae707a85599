import { describe, expect, it } from 'vitest';
import type { RunState } from '../../../src/app/shared/app-state.ts';
import { pageTitle } from '../../../src/app/shared/page-title.ts';
import { afterEvent, newRun, runFromRecord } from '../../../src/app/shared/run-events.ts';
import type { RunRecord } from '../../../src/engine/protocol/protocol.ts';
import type { RunEvent } from '../../../src/run/events.ts';

const stepEvent = (step: number, loss = 1): RunEvent => ({
  type: 'step',
  progress: {
    step,
    maxSteps: 50,
    epoch: step / 25,
    loss,
    gradNorm: 1,
    learningRate: 5e-5,
    tokens: 100,
    tokensPerSecond: 10,
    secondsLeft: 5,
  },
});
const after = (...events: RunEvent[]): RunState => events.reduce(afterEvent, newRun('v1 + rows', true));

describe('a run as the page follows it', () => {
  it('runs from its first step, and has no phase any more', () => {
    const loading = after({ type: 'phase', phase: 'loading the base', done: 1, total: 4, unit: 'bytes' });
    expect(loading).toMatchObject({ status: 'starting', phase: { done: 1, total: 4 } });
    expect(afterEvent(loading, stepEvent(1))).toMatchObject({ status: 'running', phase: undefined });
  });

  it('has no phase any more once what it measured or saved is told', () => {
    const measuring: RunEvent = { type: 'phase', phase: 'evaluating', done: 9, total: 9, unit: 'rows' };
    const told: RunEvent = { type: 'log', entry: { step: 1, epoch: 0.04, eval_loss: 2 } };
    expect(after(stepEvent(1), measuring).phase).toBeDefined();
    expect(after(stepEvent(1), measuring, told).phase).toBeUndefined();
    expect(after(measuring, { type: 'checkpoint', step: 1, bytes: 9 }).phase).toBeUndefined();
  });

  it('tells how far a long step is until that has ended', () => {
    const rows = { step: 2, maxSteps: 50, done: 3, total: 16, tokensPerSecond: 9, secondsLeft: 70 };
    const long = after(stepEvent(1), { type: 'rows', progress: rows });
    expect(long).toMatchObject({ status: 'running', within: rows, progress: { step: 1 } });
    expect(afterEvent(long, stepEvent(2)).within).toBeUndefined();
  });

  it('says after which step it resumes', () => {
    const facts = (resumedStep: number): RunEvent =>
      ({ type: 'facts', facts: { resumedStep, maxSteps: 50 } }) as unknown as RunEvent;
    expect(after(facts(4)).log.map(({ text }) => text)).toEqual(['Resuming after step 4 of 50.']);
    expect(after(facts(0)).log).toEqual([]);
  });

  it('keeps the times of its log lines where they were kept', () => {
    const log = [
      { step: 1, epoch: 0.5, loss: 2, time: 1_764_500_000_000 },
      { step: 2, epoch: 1, loss: 1 },
    ];
    const record = { name: 'a', created: 5, inputs: {}, checkpoints: [], log } as unknown as RunRecord;
    expect(runFromRecord(record, 'starting').log.map(({ time }) => time)).toEqual([
      1_764_500_000_000,
      undefined,
    ]);
  });

  it('draws the steps that it repeats only once', () => {
    const run = after(stepEvent(1), stepEvent(2, 5), stepEvent(3), stepEvent(2, 7));
    expect(run.steps.map(({ step, loss }) => [step, loss])).toEqual([
      [1, 1],
      [2, 7],
    ]);
  });

  it('stays paused while the last step before the pause arrives', () => {
    const paused = { ...after(stepEvent(1)), status: 'paused' as const };
    expect(afterEvent(paused, stepEvent(2)).status).toBe('paused');
  });

  it('puts the progress into the title', () => {
    expect(pageTitle(undefined)).toBe('Retune');
    expect(pageTitle(after({ type: 'phase', phase: 'hashing', done: 1, total: 4, unit: 'bytes' }))).toBe(
      '25% hashing · Retune',
    );
    const run = after(stepEvent(17, 1.2345));
    expect(pageTitle(run)).toBe('34% · loss 1.234 · Retune');
    expect(pageTitle({ ...run, status: 'paused' })).toBe('Paused 34% · Retune');
    expect(pageTitle({ ...run, status: 'failed' })).toBe('Action needed · Retune');
    expect(pageTitle({ ...run, status: 'finished' })).toBe('Done · Retune');
    expect(pageTitle({ ...run, status: 'stopped' }, 'v1\u202e + rows')).toBe(
      'Stopped 34% · v1[U+202E] + rows · Retune',
    );
  });

  it('puts a run of an earlier visit into the title only where it is shown', () => {
    const earlier = { ...newRun('v1 + rows', true), status: 'finished' as const };
    expect(pageTitle(earlier, 'v1 + rows')).toBe('Done · v1 + rows · Retune');
    expect(pageTitle(earlier, 'Runs', false)).toBe('Runs · Retune');
    expect(pageTitle({ ...earlier, status: 'running' }, 'Runs', false)).toBe('Starting · Runs · Retune');
    expect(pageTitle(undefined, 'x'.repeat(100))).toBe(`${'x'.repeat(60)}… · Retune`);
  });
});
