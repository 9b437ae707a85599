import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { drawBar, openDisplay } from '../../../src/cli/display.ts';
import { RunReport } from '../../../src/cli/run-report.ts';
import type { RunEvent, RunFacts, StepProgress } from '../../../src/run/events.ts';

const FACTS: RunFacts = {
  gpu: 'Test GPU',
  software: false,
  rows: 1234,
  skippedRows: 1,
  tokens: 56789,
  trainedTokens: 2000,
  longest: 96,
  cut: 2,
  evalRows: 1,
  maxSteps: 12,
  resumedStep: 3,
  gpuBytes: 3 * 2 ** 30,
};
const STEP: StepProgress = {
  step: 4,
  maxSteps: 12,
  epoch: 0.5,
  loss: 1.23456,
  gradNorm: 0.5,
  learningRate: 4.2e-5,
  tokens: 700,
  tokensPerSecond: 1234.4,
  secondsLeft: 185,
};
const phase = (name: 'hashing' | 'evaluating' | 'saving', done: number): RunEvent => ({
  type: 'phase',
  phase: name,
  done,
  total: 2048,
  unit: name === 'hashing' ? 'bytes' : 'rows',
});
const EVENTS: RunEvent[] = [
  phase('hashing', 1024),
  phase('hashing', 2048),
  { type: 'facts', facts: FACTS },
  { type: 'step', progress: STEP },
  { type: 'log', entry: { step: 4, epoch: 0.5, loss: 2, grad_norm: 0.25, learning_rate: 1e-5 } },
  phase('evaluating', 1),
  { type: 'log', entry: { step: 4, epoch: 0.5, eval_loss: 3.25, eval_runtime: 1 } },
  phase('saving', 0),
  { type: 'checkpoint', step: 4, bytes: 1536 },
  { type: 'note', text: 'a note.' },
  { type: 'log', entry: { step: 12, epoch: 1, train_loss: 1, train_runtime: 9 } },
];

/** What the run's events become on a stream that is or is not a terminal. */
function shown(isTTY: boolean): string {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 100 });
  const display = openDisplay(stream as unknown as NodeJS.WriteStream);
  const report = new RunReport(display);
  for (const event of EVENTS) report.show(event);
  display.close();
  return String(stream.read());
}

const LINES = [
  '1,234 rows (1 more skipped: no trained token; 2 cut at 96 tokens), 56,789 tokens, 2,000 of them trained; 1 row to evaluate on',
  '12 steps; 3.0 GiB of GPU memory',
  'going on after step 3',
  'step  4/12  epoch 0.50  loss 2.0000  lr 1.00e-5  grad_norm 0.250  1,234 tokens/s  3 min 05 s left',
  'step  4/12  epoch 0.50  eval_loss 3.2500',
  'checkpoint-4 saved, 1.5 KiB',
  'Note: a note.',
];

describe('a run without a terminal', () => {
  it('is told in plain lines, one for each phase and log entry', () => {
    const [facts, rest] = [LINES.slice(0, 3), LINES.slice(3)];
    const expected = ['hashing, 2.0 KiB', ...facts, 'training', ...rest];
    expect(shown(false)).toBe(`${expected.join('\n')}\n`);
  });
});

describe('a run on a terminal', () => {
  it('has the same lines, each with no bar left on it, and a live line', () => {
    const text = shown(true);
    const clear = '\u001b[2K';
    const lines = text.split('\n').map((line) => line.slice(line.lastIndexOf(clear) + clear.length));
    // The first line is written before there is anything to clear.
    for (const line of LINES) expect(lines).toContain(line);
    expect(text).toContain('hashing          ████████████░░░░░░░░░░░░  50%  1.0 KiB of 2.0 KiB');
    expect(text).toContain(
      'training         ████████░░░░░░░░░░░░░░░░  33%  4/12  loss 1.2346  lr 4.20e-5  grad_norm',
    );
    // It ends with the live line taken away and the terminal wrapping lines again.
    expect(text.endsWith(clear)).toBe(true);
    expect(text.lastIndexOf('\u001b[?7h')).toBeGreaterThan(text.lastIndexOf('\u001b[?7l'));
  });
});

describe('the bar', () => {
  it('never is as wide as the terminal', () => {
    const progress = { task: 'training', done: 1, total: 3, info: 'x'.repeat(200) };
    for (const width of [10, 40, 80]) expect(drawBar(progress, width)).toHaveLength(width - 1);
  });

  it('is empty for nothing and full at most', () => {
    expect(drawBar({ task: 'a', done: 0, total: 0 }, 80)).toContain('░'.repeat(24) + '   0%');
    expect(drawBar({ task: 'a', done: 5, total: 4 }, 80)).toContain('█'.repeat(24) + ' 100%');
  });
});
