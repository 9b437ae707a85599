import { readAdapter } from '../formats/adapter.ts';
import { openBaseModel } from '../formats/base-model.ts';
import type { ByteSource, Folder } from '../formats/byte-source.ts';
import type { DecoderConfig } from '../formats/decoder-config.ts';
import type { LoraModule } from '../formats/lora-modules.ts';
import type { Recipe } from '../formats/recipe.ts';
import { UserError } from '../formats/user-error.ts';
import {
  answerWithoutRoom,
  batchShape,
  encodeQuestions,
  runBatchTest,
  type Answer,
  type BatchProgress,
} from './batch-test.ts';
import { TextGenerator } from '../generate/text-generator.ts';
import { PROMPT_FORMS, stopIds, type PromptForm } from '../generate/prompt-form.ts';
import type { Question } from './questions.ts';
import { checkSampling, type Sampling } from '../generate/sampling.ts';
import type { Gpu } from '../gpu/device.ts';
import { Stream } from '../gpu/stream.ts';
import type { BaseCache } from '../model/base/cache/base-cache.ts';
import { loadBase } from '../model/base/load.ts';
import { Lora } from '../model/lora.ts';
import { writesDate } from '../text/chat-template-files.ts';
import { loadTokenizer } from '../text/load-tokenizer.ts';
import { wallClock, type Moment } from '../text/moment.ts';
import { encodeRows, type EncodedRow } from '../text/rows.ts';
import type { TextTokenizer } from '../text/tokenizer.ts';
import { CURSOR, readCursor, type RunCursor } from '../run/checkpoint/checkpoint.ts';
import type { RunEvent } from '../run/events.ts';
import { adapterHash } from '../run/checkpoint/identity.ts';
import { generationPlan, OutOfMemoryError, withinMemory } from '../run/plan/memory-plan.ts';
import { Evaluator, type EvalLoss } from './version-loss.ts';

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
  /** An adapter was read; the base has no hash. */
  | { type: 'opened'; version: number; hash: string }
  /** This version cannot be tested; the others continue. */
  | { type: 'failed'; version: number; error: UserError }
  | { type: 'loss'; version: number; loss: EvalLoss }
  | { type: 'answering'; version: number; progress: BatchProgress }
  | { type: 'answer'; version: number; question: number; answer: Answer };

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

/** A version with work left whose adapter was read. */
interface Opened {
  version: number;
  folder: Folder | undefined;
  modules: readonly LoraModule[];
}

/**
 * Asks all versions all questions; the versions share one base and run one after another. An error in a version
 * ends that version only, and a question for which the model lacks positions is skipped. Throws UserError for
 * everything else.
 */
export async function askVersions(call: AskVersionsOptions): Promise<void> {
  const { questions, versions, maxNewTokens, shorter, sampling, recipe, signal, emit } = call;
  checkSampling(sampling);
  const model = await openBaseModel(call.base);
  const { config } = model;
  for (const text of model.notes) emit({ type: 'note', text });
  const opened = await openVersions(call, config);
  if (opened.length === 0) return;
  const tokenizer = await loadTokenizer(call.base, model.config.vocabSize);
  const form = await promptForm(call, opened);
  const date = await templateDate(call, opened, form, tokenizer);
  const { maxPositions } = config;
  const prompts = encodeQuestions(tokenizer, questions, form, date);
  const room = { maxNewTokens, maxPositions, shorter };
  const refused = prompts.map((ids, i) => answerWithoutRoom(ids, i, room));
  if (refused.every((answer) => answer)) throw new UserError(refused[0]!.error);
  for (const { version } of opened)
    refused.forEach((answer, question) => {
      if (answer && !versions[version]!.answered.has(question))
        emit({ type: 'answer', version, question, answer });
    });
  const rows = opened.some(({ version }) => versions[version]!.lossWanted)
    ? await validationRows(call, tokenizer, date)
    : [];
  const modules = opened.map((version) => version.modules);
  const rank = Math.max(1, ...modules.flat().map(({ r }) => r));
  const shape = batchShape(
    config,
    prompts.filter((_, i) => !refused[i]),
    maxNewTokens,
    rank,
  );
  const doubleQuant = recipe.quantization.useDoubleQuant;
  const gpu = await call.openGpu();
  const plan = generationPlan({ model, doubleQuant, modules: largest(modules), shape });
  const within = <T>(allocate: () => Promise<T>): Promise<T> =>
    withinMemory(gpu, plan, allocate, `${shorter}, or close other programs that use the GPU`);
  const cache = await call.baseCache?.slot(model, doubleQuant);
  const base = await within(() =>
    loadBase(gpu, model, {
      cache,
      doubleQuant,
      positions: Math.max(shape.capacity, ...rows.map(({ ids }) => ids.length)),
      onProgress: (done, total) => {
        emit({ type: 'phase', phase: 'loading the base', done, total, unit: 'bytes' });
        signal?.throwIfAborted();
      },
    }),
  );
  const stream = new Stream(gpu);

  /** Loads the versions' adapters onto the device, one after another. */
  const inTurn = async (
    wanted: (version: VersionToTest) => boolean,
    work: (version: number, lora: Lora | undefined) => Promise<void>,
  ): Promise<void> => {
    for (const { version, folder } of opened) {
      if (!wanted(versions[version]!)) continue;
      await failing(call, version, async () => {
        const adapter = folder && (await readAdapter(folder, config));
        const lora =
          adapter && (await within(async () => new Lora(gpu, adapter.weights, config.layers, false)));
        try {
          await work(version, lora);
        } finally {
          lora?.close();
        }
      });
    }
  };

  if (rows.length > 0) {
    const evaluator = await within(async () => new Evaluator(stream, base, rows, rank, recipe));
    await inTurn(
      ({ lossWanted }) => lossWanted,
      async (version, lora) => {
        const onProgress = (done: number): void =>
          emit({ type: 'phase', phase: 'evaluating', done, total: rows.length, unit: 'rows' });
        emit({ type: 'loss', version, loss: await evaluator.evaluate(lora, onProgress, signal) });
      },
    );
    evaluator.close();
  }
  const generator = await within(async () => new TextGenerator(stream, base, shape));
  const options = { maxNewTokens, sampling, seed: call.seed, signal, stopIds: stopIds(model, tokenizer) };
  const unanswered = ({ answered }: VersionToTest): number[] =>
    questions.flatMap((_, i) => (answered.has(i) || refused[i] ? [] : [i]));
  await inTurn(
    (version) => unanswered(version).length > 0,
    async (version, lora) => {
      const numbers = unanswered(versions[version]!);
      const asked = numbers.map((i) => prompts[i]!);
      const onProgress = (progress: BatchProgress): void => emit({ type: 'answering', version, progress });
      const onAnswer = (i: number, answer: Answer): void =>
        emit({ type: 'answer', version, question: numbers[i]!, answer });
      onProgress({ answered: 0, questions: asked.length, tokens: 0 });
      await runBatchTest(
        generator,
        tokenizer,
        asked,
        { ...options, lora, numbers },
        { onProgress, onAnswer },
      );
    },
  );
  generator.close();
}

/** Reads the adapters of all versions with work left, before a device is opened. */
async function openVersions(call: AskVersionsOptions, config: DecoderConfig): Promise<Opened[]> {
  const opened: Opened[] = [];
  const { versions, questions, emit, signal } = call;
  for (const [version, { open, answered, lossWanted }] of versions.entries()) {
    emit({ type: 'phase', phase: 'opening files', done: version, total: versions.length, unit: 'files' });
    signal?.throwIfAborted();
    if (answered.size === questions.length && !(lossWanted && call.validation)) continue;
    await failing(call, version, async () => {
      const folder = await open?.();
      const modules = folder ? (await readAdapter(folder, config)).weights.map(({ module }) => module) : [];
      if (folder) emit({ type: 'opened', version, hash: await adapterHash(folder) });
      opened.push({ version, folder, modules });
    });
  }
  return opened;
}

/** Runs `work` for one version; a UserError ends that version only. */
async function failing(call: AskVersionsOptions, version: number, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof UserError) || error instanceof OutOfMemoryError) throw error;
    call.emit({ type: 'failed', version, error });
  }
}

/**
 * One form for all versions, so that they are asked the same: the one chosen, or that of the first version that
 * records one.
 */
async function promptForm(call: AskVersionsOptions, opened: readonly Opened[]): Promise<PromptForm> {
  const told = (form: PromptForm, said: boolean): PromptForm => {
    call.emit({ type: 'form', form, said });
    return form;
  };
  if (call.form) return told(call.form, true);
  const form = await recorded(opened, ({ prompt }) => PROMPT_FORMS.find((known) => known === prompt));
  return told(form ?? 'text', form !== undefined);
}

/** One date for all versions: the one chosen, or that of the first version whose run has one. */
async function templateDate(
  call: AskVersionsOptions,
  opened: readonly Opened[],
  form: PromptForm,
  { templates }: TextTokenizer,
): Promise<Moment> {
  const found = call.date ?? (await recorded(opened, ({ plan }) => plan.moment));
  const date = found ?? wallClock();
  const shows = writesDate(templates) && (form === 'chat' || call.validation !== undefined);
  call.emit({ type: 'date', date: shows ? date : undefined, said: found !== undefined });
  return date;
}

/** The first version's value for which `read` returns one. */
async function recorded<T>(
  opened: readonly Opened[],
  read: (cursor: RunCursor) => T | undefined,
): Promise<T | undefined> {
  for (const { folder } of opened) {
    if (!folder || !(await folder.open(CURSOR))) continue;
    const value = read(await readCursor(folder));
    if (value !== undefined) return value;
  }
  return undefined;
}

async function validationRows(
  { validation, recipe, emit, signal }: AskVersionsOptions,
  tokenizer: TextTokenizer,
  moment: Moment,
): Promise<EncodedRow[]> {
  if (!validation) return [];
  const { maxLength, maxEvalSamples } = recipe.training;
  const { rows } = await encodeRows(validation, tokenizer, {
    maxLength,
    use: 'evaluate',
    moment,
    onProgress: ({ bytesRead, bytesTotal }) => {
      emit({ type: 'phase', phase: 'tokenising', done: bytesRead, total: bytesTotal, unit: 'bytes' });
      signal?.throwIfAborted();
    },
  });
  return rows.slice(0, maxEvalSamples);
}

/** The modules of the adapter that takes the most memory. */
function largest(adapters: readonly (readonly LoraModule[])[]): readonly LoraModule[] {
  const size = (modules: readonly LoraModule[]): number =>
    modules.reduce((sum, { r, inFeatures, outFeatures }) => sum + r * (inFeatures + outFeatures), 0);
  return adapters.reduce((most, modules) => (size(modules) > size(most) ? modules : most), []);
}
