import type { ChangeCounts } from '../formats/row-changes.ts';
import type { LogEntry } from '../formats/trainer-state.ts';
import type { ExpectedTime } from './expected-time.ts';
import type { SampleAnswer, SampleFilm } from './samples/film.ts';

/** The phases before the first step, in this order. */
export type Phase =
  | 'opening files'
  | 'hashing'
  | 'tokenizing'
  | 'loading the base'
  | 'caching the base'
  | 'measuring memory'
  | 'timing kernels'
  | 'compiling kernels'
  | 'evaluating the start'
  | 'evaluating'
  | 'answering sample prompts'
  | 'saving';

/** Events of a run; page and command line show progress bars, plots and lines from these. */
export type RunEvent =
  | {
      type: 'phase';
      phase: Phase;
      done: number;
      total: number;
      unit: 'bytes' | 'rows' | 'files' | 'kernels' | 'prompts';
    }
  | { type: 'facts'; facts: RunFacts }
  /** Within a step that takes seconds. */
  | { type: 'rows'; progress: RowProgress }
  | { type: 'step'; progress: StepProgress }
  /** The eval_loss before the first step, where only the run's record keeps it. */
  | { type: 'baseline'; evalLoss: number }
  | { type: 'log'; entry: LogEntry }
  /** A sample prompt was answered. */
  | { type: 'sample'; prompt: string; answer: SampleAnswer }
  | { type: 'checkpoint'; step: number; bytes: number }
  | { type: 'note'; text: string }
  /** What is worth a look, of a run that begins. */
  | { type: 'advisory'; text: string };

/** What is known once everything is read and planned. */
export interface RunFacts {
  gpu: string;
  software: boolean;
  rows: number;
  skippedRows: number;
  /** Why the first of them was, with its line. */
  firstSkipped?: string;
  tokens: number;
  trainedTokens: number;
  /** Tokens of the longest row, and how many rows were cut. */
  longest: number;
  cut: number;
  /** Of the training rows, where any is changed. */
  changed?: ChangeCounts;
  evalRows: number;
  maxSteps: number;
  /** 0, or the step from which the run resumes. */
  resumedStep: number;
  gpuBytes: number;
  /** How long the run takes, as far as cards of this kind tell it. */
  expected?: ExpectedTime;
  /** The log up to there: a page that was closed may have missed some of it. */
  history?: readonly LogEntry[];
  /** The eval_loss before the first step, if an earlier start measured it. */
  baseline?: number;
  /** Sample prompts and their answers so far, if there are any. */
  samples?: SampleFilm;
}

/** How far the step under way is. */
export interface RowProgress {
  /** That step, from 1. */
  step: number;
  maxSteps: number;
  /** Its rows that were passed forward and backward, of all its rows. */
  done: number;
  total: number;
  tokensPerSecond: number;
  /** Of the run. */
  secondsLeft: number;
}

/** After every optimizer step. */
export interface StepProgress {
  step: number;
  maxSteps: number;
  epoch: number;
  loss: number;
  gradNorm: number;
  learningRate: number;
  /** Tokens of this step. */
  tokens: number;
  tokensPerSecond: number;
  secondsLeft: number;
}
