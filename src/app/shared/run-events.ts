import type { RunRecord } from '../../engine/protocol/protocol.ts';
import type { Recipe } from '../../formats/recipe.ts';
import type { LogEntry } from '../../formats/trainer-state.ts';
import { showBytes, showCount, showNumber, showRate } from '../../formats/words.ts';
import type { Phase, RunEvent } from '../../run/events.ts';
import { withSample } from '../../run/samples/film.ts';
import type { LogLine, RunState } from './app-state.ts';

const LOG_LINES = 1000;

const PHASES = {
  'opening files': 'Opening files',
  hashing: 'Hashing files',
  tokenizing: 'Tokenizing rows',
  'loading the base': 'Loading the base onto the GPU in 4 bits',
  'caching the base': 'Caching the 4-bit base for the next start',
  'measuring memory': 'Measuring free GPU memory',
  'timing kernels': 'Autotuning kernels on this GPU',
  'compiling kernels': 'Compiling kernels for this GPU',
  'evaluating the start': 'Evaluating the validation rows before the first step',
  evaluating: 'Evaluating the validation rows',
  'answering sample prompts': 'Answering the sample prompts',
  saving: 'Saving',
} as const satisfies Record<Phase, string>;

/** What happens before the first step, in words. */
export const phaseText = (phase: Phase): string => PHASES[phase];

/** "1.2 GiB of 2.9 GiB", "3 of 480 rows". */
export function phaseAmount({ done, total, unit }: { done: number; total: number; unit: string }): string {
  return unit === 'bytes'
    ? `${showBytes(done)} of ${showBytes(total)}`
    : `${showCount(done)} of ${showCount(total)} ${unit}`;
}

export function newRun(name: string, hasSource: boolean, recipe?: Recipe): RunState {
  return { name, status: 'starting', steps: [], evals: [], checkpoints: [], log: [], hasSource, recipe };
}

/** A stored run: plots from its log, no facts of this session. */
export function runFromRecord(record: RunRecord, status: RunState['status']): RunState {
  const { id, name, log, checkpoints, inputs, best, recipe } = record;
  const steps = log.filter((entry) => entry['loss'] !== undefined);
  const evals = log.filter((entry) => entry['eval_loss'] !== undefined);
  return {
    ...newRun(name, inputs.source !== undefined, recipe),
    id,
    status,
    checkpoints,
    best,
    samples: record.samples,
    steps: steps.map((entry) => ({
      step: entry['step']!,
      loss: entry['loss']!,
      gradNorm: entry['grad_norm'] ?? NaN,
      learningRate: entry['learning_rate'] ?? NaN,
    })),
    evals: withBaseline(
      evals.map((entry) => ({ step: entry['step']!, loss: entry['eval_loss']! })),
      record.baseline,
    ),
    log: log.map((entry) => ({ time: entry['time'], kind: 'log', text: entryText(entry as LogEntry) })),
  };
}

/** The run after one more event. */
export function afterEvent(run: RunState, event: RunEvent): RunState {
  switch (event.type) {
    case 'phase': {
      const { phase, done, total, unit } = event;
      const begins = run.phase?.phase !== phase;
      const log = begins ? withLine(run.log, line('log', `${phaseText(phase)}.`)) : run.log;
      return { ...run, log, phase: { phase, done, total, unit } };
    }
    case 'facts': {
      const { resumedStep, maxSteps, baseline, samples } = event.facts;
      const evals = withBaseline(run.evals, baseline);
      const begins = { ...run, status: begun(run), phase: undefined, facts: event.facts, evals, samples };
      return resumedStep > 0
        ? withNote(begins, 'note', `Resuming after step ${resumedStep} of ${maxSteps}.`)
        : begins;
    }
    case 'rows':
      return { ...run, status: begun(run), phase: undefined, within: event.progress };
    case 'step': {
      const { step, loss, gradNorm, learningRate } = event.progress;
      // A run that resumed from a checkpoint repeats steps.
      const before = run.steps.filter((point) => point.step < step);
      const steps = [...before, { step, loss, gradNorm, learningRate }];
      return {
        ...run,
        status: begun(run),
        phase: undefined,
        within: undefined,
        progress: event.progress,
        steps,
      };
    }
    case 'baseline': {
      const text = `Before the first step: eval loss ${showNumber(event.evalLoss)}`;
      const evals = withBaseline(run.evals, event.evalLoss);
      return { ...run, phase: undefined, evals, log: withLine(run.log, line('log', text)) };
    }
    case 'log': {
      const { entry } = event;
      const logged = { ...run, phase: undefined, log: withLine(run.log, line('log', entryText(entry))) };
      if (entry.eval_loss === undefined) {
        return logged;
      }
      const before = run.evals.filter((point) => point.step < entry.step);
      return { ...logged, evals: [...before, { step: entry.step, loss: entry.eval_loss }] };
    }
    case 'sample': {
      const { phase } = run;
      const isLast = phase !== undefined && phase.done >= phase.total;
      return { ...run, phase: isLast ? undefined : phase, samples: withSample(run.samples, event) };
    }
    case 'checkpoint': {
      const { step, bytes } = event;
      const before = run.checkpoints.filter((kept) => kept.step < step);
      const text = `Checkpoint after step ${step} kept (${showBytes(bytes)}).`;
      return {
        ...run,
        phase: undefined,
        checkpoints: [...before, { step, bytes }],
        log: withLine(run.log, line('checkpoint', text)),
      };
    }
    case 'note':
      return withNote(run, 'note', event.text);
    case 'advisory':
      return withNote(run, 'note', `Worth a look: ${event.text}`);
  }
}

export const withNote = (run: RunState, kind: LogLine['kind'], text: string): RunState => ({
  ...run,
  log: withLine(run.log, line(kind, text)),
});

/** The evaluations with that before the first step, which the log may not have. */
const withBaseline = (evals: RunState['evals'], loss: number | undefined): RunState['evals'] =>
  loss === undefined ? evals : [{ step: 0, loss }, ...evals.filter(({ step }) => step > 0)];

const begun = (run: RunState): RunState['status'] => (run.status === 'starting' ? 'running' : run.status);

const line = (kind: LogLine['kind'], text: string): LogLine => ({ time: Date.now(), kind, text });

const withLine = (log: readonly LogLine[], added: LogLine): LogLine[] => [...log.slice(1 - LOG_LINES), added];

function entryText(entry: LogEntry): string {
  const { step, epoch, loss, grad_norm, learning_rate, eval_loss, train_loss } = entry;
  const at = `Step ${step}, epoch ${epoch.toFixed(2)}`;
  if (eval_loss !== undefined) {
    return `${at}: eval loss ${showNumber(eval_loss)}`;
  }
  if (loss === undefined) {
    return `${at}: mean training loss ${showNumber(train_loss ?? NaN)}`;
  }
  const parts = [`loss ${showNumber(loss)}`];
  if (grad_norm !== undefined) {
    parts.push(`gradient norm ${showNumber(grad_norm)}`);
  }
  if (learning_rate !== undefined) {
    parts.push(`learning rate ${showRate(learning_rate)}`);
  }
  return `${at}: ${parts.join(', ')}`;
}
