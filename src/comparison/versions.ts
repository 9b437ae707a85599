import type { ByteSource, Folder } from '../formats/byte-source.ts';
import type { Recipe } from '../formats/recipe.ts';
import { UserError } from '../formats/user-error.ts';
import type { PromptForm } from '../generate/prompt-form.ts';
import type { Sampling } from '../generate/sampling.ts';
import type { Gpu } from '../gpu/device.ts';
import type { BaseCache } from '../model/base/cache/base-cache.ts';
import type { RunEvent } from '../run/events.ts';
import { OutOfMemoryError } from '../run/plan/memory-plan.ts';
import type { Moment } from '../text/moment.ts';
import type { BatchProgress, TestAnswer } from './batch-test.ts';
import type { Question } from './questions.ts';
import type { EvalLoss } from './version-loss.ts';

/** One of the models that share a base. */
export interface VersionToTest {
  /** Reads its adapter; undefined for the base alone. Throws UserError if it is gone. */
  open: (() => Promise<Folder>) | undefined;
  /** Questions already answered. */
  answered: ReadonlySet<number>;
  /** Whether to compute its loss on the validation rows. */
  lossWanted: boolean;
}

/** Progress events of a test of several versions; versions and questions by their index in the call. */
export type VersionsEvent =
  | Extract<RunEvent, { type: 'phase' | 'note' }>
  /** How questions are presented; `said`: it was chosen, or an adapter records it. */
  | { type: 'form'; form: PromptForm; said: boolean }
  /**
   * The current date that the chat template writes, if it writes one; `said`: it was chosen, or an adapter's run
   * has it.
   */
  | { type: 'date'; date: Moment | undefined; said: boolean }
  /** SHA-256 of the base's files, where the cache knows it. */
  | { type: 'base'; hash: string }
  /** An adapter was read; the base has no hash. */
  | { type: 'opened'; version: number; hash: string }
  /** This version cannot be tested; the others continue. */
  | { type: 'failed'; version: number; error: UserError }
  | { type: 'loss'; version: number; loss: EvalLoss }
  | { type: 'answering'; version: number; progress: BatchProgress }
  | { type: 'answer'; version: number; question: number; answer: TestAnswer };

export interface AskVersionsOptions {
  base: Folder;
  versions: readonly VersionToTest[];
  questions: readonly Question[];
  /** How questions are presented; undefined for the form that an adapter was trained with. */
  form: PromptForm | undefined;
  /**
   * The current date for a chat template that writes it; undefined for that of an adapter's run, or now if none has
   * it.
   */
  date?: Moment | undefined;
  /** Rows for the versions' loss. */
  validation: ByteSource | undefined;
  /** Supplies quantization, max_seq_length and the evaluation settings. */
  recipe: Recipe;
  maxNewTokens: number;
  /** How the user shortens answers, in the caller's terms: "lower --max-new-tokens". */
  shorter: string;
  sampling: Sampling;
  seed: number;
  /** The cache that may hold the quantized base. */
  baseCache?: BaseCache | undefined;
  openGpu: () => Promise<Gpu>;
  emit: (event: VersionsEvent) => void;
  /** Stops the test; the call rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** Runs `work` for one version; a UserError ends that version only. */
export async function failing(
  call: AskVersionsOptions,
  version: number,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof UserError) || error instanceof OutOfMemoryError) {
      throw error;
    }
    call.emit({ type: 'failed', version, error });
  }
}
