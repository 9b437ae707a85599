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
  firstSkipped: 'line 7: no trained token',
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
function shown(isTTY: boolean, columns = 100, events = EVENTS): string {
  const stream = Object.assign(new PassThrough(), { isTTY, columns });
  const display = openDisplay(stream as unknown as NodeJS.WriteStream);
  const report = new RunReport(display);
  for (const event of events) {
    report.show(event);
  }
  display.close();
  return String(stream.read());
}

const LINES = [
  '1,234 rows (1 more skipped, line 7: no trained token; 2 cut at 96 tokens), 56,789 tokens, 2,000 of them trained; 1 row to evaluate on',
  '12 steps; 3.0 GiB of GPU memory',
  'resuming after step 3',
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
    for (const line of LINES) {
      expect(lines).toContain(line);
    }
    expect(text).toContain('hashing          ████████████░░░░░░░░░░░░  50%  1.0 KiB of 2.0 KiB');
    // It ends with the live line removed, and leaves no terminal mode changed if it is killed before.
    expect(text.endsWith(clear)).toBe(true);
    expect(text).not.toContain('\u001b[?');
  });
});

describe('foreign text', () => {
  const hostile = 'a\u001b]0;title\u0007\u009b2J\u202etxt\u2066\u200f\u061c\u2028\r\nb\tc';
  const escaped = 'a\\u001b]0;title\\u0007\\u009b2J\\u202etxt\\u2066\\u200f\\u061c\\u2028\\r\\nb\\tc';

  it.each([true, false])('is shown escaped wherever it stands, on a terminal: %s', (isTTY) => {
    const stream = Object.assign(new PassThrough(), { isTTY, columns: 300 });
    const display = openDisplay(stream as unknown as NodeJS.WriteStream);
    display.line(hostile);
    display.begin(hostile);
    display.progress({ task: hostile, done: 1, total: 2, figures: [hostile], extras: [hostile] });
    display.json({ [hostile]: hostile });
    display.close();
    const text = String(stream.read());
    // Only what moves the live line remains.
    // eslint-disable-next-line no-control-regex -- these are what the test looks for
    const own = text.replace(/\u001b(?:[78]|\[\d*[GK])/g, '');
    expect(own).not.toMatch(/[^\n\P{Cc}]|[\u202e\u2066\u200f\u061c\u2028]/u);
    expect(own.startsWith(`${escaped}\n`)).toBe(true);
    expect(own.split(escaped)).toHaveLength(isTTY ? 10 : 5);
    expect(JSON.parse(own.slice(own.lastIndexOf('{'), own.lastIndexOf('}') + 1))).toEqual({
      [hostile]: hostile,
    });
  });
});

describe('the live line of a training', () => {
  const [STEPS, LOSS, SPEED, LEFT] = ['4/12', 'loss 1.2346', '1,234 tokens/s', '3 min 05 s left'];
  const [RATE, NORM] = ['lr 4.20e-5', 'grad_norm 0.500'];

  it.each([
    [140, 'training         ████████░░░░░░░░░░░░░░░░  33%', [STEPS, LOSS, SPEED, LEFT, RATE, NORM]],
    [120, 'training ██░░░░░░  33%', [STEPS, LOSS, SPEED, LEFT, RATE, NORM]],
    [100, 'training ██░░░░░░  33%', [STEPS, LOSS, SPEED, LEFT, RATE]],
    [80, 'training ██░░░░░░  33%', [STEPS, LOSS, SPEED, LEFT]],
    [60, ' 33%', [STEPS, LOSS, SPEED, LEFT]],
    [40, ' 33%', [STEPS, LOSS, SPEED]],
  ])('on %i columns has what matters most, whole', (columns, head, figures) => {
    const line = [head, ...figures].join('  ');
    expect(line.length).toBeLessThan(columns);
    expect(shown(true, columns, [{ type: 'step', progress: STEP }])).toContain(`${line}\u001b`);
  });

  it('keeps the time left on 80 columns where every figure is long', () => {
    const progress = { ...STEP, step: 1234, maxSteps: 5678, tokensPerSecond: 23456, secondsLeft: 660 };
    expect(shown(true, 80, [{ type: 'step', progress }])).toContain(
      'training ░░░░  21%  1234/5678  loss 1.2346  23,456 tokens/s  11 min 00 s left\u001b',
    );
  });
});

it('tells how far a long step is, on a terminal', () => {
  const progress = { step: 5, maxSteps: 12, done: 8, total: 16, tokensPerSecond: 90, secondsLeft: 185 };
  expect(
    shown(true, 100, [
      { type: 'step', progress: STEP },
      { type: 'rows', progress },
    ]),
  ).toContain(' 37%  5/12  row 8 of 16  90 tokens/s  3 min 05 s left\u001b');
  const plain = shown(false, 100, [
    { type: 'step', progress: STEP },
    { type: 'rows', progress },
  ]);
  expect(plain).toBe(shown(false, 100, [{ type: 'step', progress: STEP }]));
});

describe('the bar', () => {
  it('is narrower than the terminal, with whole figures only', () => {
    const figures = ['10/20', 'some tokens', 'a speed'];
    const progress = { task: 'answering', done: 1, total: 2, figures, extras: ['more', 'yet more'] };
    let before = 0;
    for (let width = 1; width < 120; width++) {
      const line = drawBar(progress, width);
      expect(line.length).toBeLessThan(width);
      const found = line.replace(/^.*%/, '').split('  ').filter(Boolean);
      expect(found).toEqual([...figures, ...progress.extras].slice(0, found.length));
      expect(found.length).toBeGreaterThanOrEqual(before);
      before = found.length;
    }
    expect(before).toBe(5);
  });

  it('is empty for nothing and full at most', () => {
    expect(drawBar({ task: 'a', done: 0, total: 0 }, 80)).toContain('░'.repeat(24) + '   0%');
    expect(drawBar({ task: 'a', done: 5, total: 4 }, 80)).toContain('█'.repeat(24) + ' 100%');
  });
});
