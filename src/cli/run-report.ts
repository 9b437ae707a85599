import { quote, shortenWords } from '../formats/quote.ts';
import { showChanges } from '../formats/row-changes.ts';
import type { LogEntry } from '../formats/trainer-state.ts';
import { counted, showBytes, showCount, showSeconds, showShare, showSpeed } from '../formats/words.ts';
import type { Phase, RowProgress, RunEvent, RunFacts, StepProgress } from '../run/events.ts';
import { showExpected } from '../run/expected-time.ts';
import { SUGGESTED_SHARE, suggestedRows } from '../run/input/suggested-hold-out.ts';
import type { Display, Progress } from './display.ts';

/** Phases announced by a line if there is no bar. */
const ANNOUNCED: ReadonlySet<Phase> = new Set([
  'hashing',
  'tokenizing',
  'loading the base',
  'evaluating the start',
]);

/** Reports a run's events to the user. */
export class RunReport {
  readonly #display: Display;
  readonly #suggestHoldOut: boolean;
  #announced = '';
  #latest: StepProgress | undefined;
  #maxSteps = 0;

  /** `suggestHoldOut`: whether a run without rows to evaluate on may not be meant so. */
  constructor(display: Display, { suggestHoldOut = false } = {}) {
    this.#display = display;
    this.#suggestHoldOut = suggestHoldOut;
  }

  show(event: RunEvent): void {
    const display = this.#display;
    switch (event.type) {
      case 'phase':
        return this.#phase(event);
      case 'facts':
        for (const line of factLines(event.facts)) {
          display.line(line);
        }
        if (this.#suggestHoldOut) {
          this.#suggest(event.facts);
        }
        this.#maxSteps = event.facts.maxSteps;
        display.begin('training');
        return display.progress({
          task: 'training',
          done: event.facts.resumedStep,
          total: event.facts.maxSteps,
          figures: ['the first step is on its way'],
        });
      case 'rows':
        return display.progress(withinStep(event.progress));
      case 'step':
        this.#latest = event.progress;
        return this.#training();
      case 'baseline':
        return display.line(`before the first step: eval_loss ${event.evalLoss.toFixed(4)}`);
      case 'log': {
        const text = logLine(event.entry, this.#maxSteps, this.#latest);
        if (text !== undefined) {
          display.line(text);
        }
        return this.#training();
      }
      case 'sample':
        display.line(sampleLine(event, this.#maxSteps));
        return this.#training();
      case 'checkpoint':
        display.line(`checkpoint-${event.step} saved, ${showBytes(event.bytes)}`);
        return this.#training();
      case 'note':
        return display.line(`Note: ${shortenWords(event.text)}`);
      case 'advisory':
        return display.line(`Worth a look: ${shortenWords(event.text)}`);
    }
  }

  #suggest({ rows, evalRows, resumedStep }: RunFacts): void {
    const held = suggestedRows(rows);
    if (evalRows === 0 && resumedStep === 0 && held > 0) {
      this.#display.line(
        `no rows to evaluate on: --hold-out ${showShare(SUGGESTED_SHARE, 1)} would hold out ${held} of these`,
      );
    }
  }

  #training(): void {
    if (!this.#latest) {
      return;
    }
    const { step, maxSteps } = this.#latest;
    const { loss, rate, norm, speed, left } = shown(this.#latest);
    this.#display.progress({
      task: 'training',
      done: step,
      total: maxSteps,
      figures: [`${step}/${maxSteps}`, loss, speed, left],
      extras: [rate, norm],
    });
  }

  #phase(event: PhaseEvent): void {
    const progress = phaseProgress(event);
    const announcement = `${event.phase}, ${amount(event)}`;
    if (ANNOUNCED.has(event.phase) && this.#announced !== announcement) {
      this.#display.begin(announcement);
    }
    this.#announced = announcement;
    this.#display.progress(progress);
  }
}

/** A run's first and last loss, as one line; no line without any. Step 0 is before training. */
export function lossLine(key: string, losses: readonly { step: number; loss: number }[]): string[] {
  const [first, last] = [losses[0], losses.at(-1)];
  if (!first || !last) {
    return [];
  }
  const show = ({ step, loss }: typeof first): string =>
    `${loss.toFixed(4)} (${step === 0 ? 'before step 1' : `step ${step}`})`;
  return [`${key} ${first.step === last.step ? '' : `${show(first)} → `}${show(last)}`];
}

type PhaseEvent = Extract<RunEvent, { type: 'phase' }>;

const amount = ({ unit, total }: PhaseEvent): string =>
  unit === 'bytes' ? showBytes(total) : counted(total, unit.slice(0, -1));

/** The live line of a phase. */
function phaseProgress(event: PhaseEvent): Progress {
  const { phase, done, total, unit } = event;
  const so = unit === 'bytes' ? showBytes(done) : showCount(done);
  return { task: phase, done, total, figures: phase === 'saving' ? [] : [`${so} of ${amount(event)}`] };
}

/** The live line within a step. */
function withinStep({ step, maxSteps, done, total, tokensPerSecond, secondsLeft }: RowProgress): Progress {
  return {
    task: 'training',
    done: step - 1 + done / total,
    total: maxSteps,
    figures: [
      `${step}/${maxSteps}`,
      `row ${done} of ${total}`,
      showSpeed(tokensPerSecond),
      `${showSeconds(secondsLeft)} left`,
    ],
  };
}

function factLines(facts: RunFacts): string[] {
  const asides = [
    facts.skippedRows > 0 &&
      `${showCount(facts.skippedRows)} more skipped${facts.firstSkipped === undefined ? '' : `, ${facts.firstSkipped}`}`,
    facts.changed && showChanges(facts.changed),
    facts.cut > 0 && `${showCount(facts.cut)} cut at ${counted(facts.longest, 'token')}`,
  ].filter((text) => typeof text === 'string');
  const rows = counted(facts.rows, 'row') + (asides.length > 0 ? ` (${asides.join('; ')})` : '');
  const lines = [
    `${rows}, ${counted(facts.tokens, 'token')}, ${showCount(facts.trainedTokens)} of them trained; ${counted(facts.evalRows, 'row')} to evaluate on`,
    `${counted(facts.maxSteps, 'step')}; ${showBytes(facts.gpuBytes)} of GPU memory`,
  ];
  if (facts.expected) {
    lines.push(showExpected(facts.expected));
  }
  if (facts.resumedStep > 0) {
    lines.push(`resuming after step ${facts.resumedStep}`);
  }
  return lines;
}

/** A step's figures in words. */
const shown = ({ loss, learningRate, gradNorm, tokensPerSecond, secondsLeft }: StepProgress) => ({
  loss: `loss ${loss.toFixed(4)}`,
  rate: `lr ${learningRate.toExponential(2)}`,
  norm: `grad_norm ${gradNorm.toFixed(3)}`,
  speed: showSpeed(tokensPerSecond),
  left: `${showSeconds(secondsLeft)} left`,
});

/** An answer to a sample prompt as a line. */
function sampleLine({ prompt, answer }: Extract<RunEvent, { type: 'sample' }>, maxSteps: number): string {
  const step = String(answer.step).padStart(String(maxSteps).length);
  return `step ${step}/${maxSteps}  ${quote(prompt)}: ${quote(answer.text)}`;
}

/** An entry of log_history as a line; undefined for the summary at the end. */
function logLine(entry: LogEntry, maxSteps: number, latest: StepProgress | undefined): string | undefined {
  const { step, epoch, loss, grad_norm: gradNorm, learning_rate: learningRate, eval_loss: evalLoss } = entry;
  const digits = String(maxSteps).length;
  const place = `step ${String(step).padStart(digits)}/${maxSteps}  epoch ${epoch.toFixed(2)}`;
  if (evalLoss !== undefined) {
    return `${place}  eval_loss ${evalLoss.toFixed(4)}`;
  }
  if (loss === undefined || !latest) {
    return undefined;
  }
  const logged = { ...latest, loss };
  if (gradNorm !== undefined) {
    logged.gradNorm = gradNorm;
  }
  if (learningRate !== undefined) {
    logged.learningRate = learningRate;
  }
  return [place, ...Object.values(shown(logged))].join('  ');
}
