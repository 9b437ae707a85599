import { readAdapter } from '../formats/adapter.ts';
import type { BaseModel } from '../formats/base-model.ts';
import { openBaseModel } from '../formats/base-model.ts';
import type { Folder } from '../formats/byte-source.ts';
import type { DecoderConfig } from '../formats/decoder-config.ts';
import type { LoraModule } from '../formats/lora-modules.ts';
import { UserError } from '../formats/user-error.ts';
import { batchShape } from '../generate/batch-shape.ts';
import { PROMPT_FORMS, type PromptForm } from '../generate/prompt-form.ts';
import { CURSOR, readCursor, type RunCursor } from '../run/checkpoint/checkpoint.ts';
import { adapterHash } from '../run/checkpoint/identity.ts';
import { writesDate } from '../text/chat-template-files.ts';
import { loadTokenizer } from '../text/load-tokenizer.ts';
import { type Moment, wallClock } from '../text/moment.ts';
import { type EncodedRow, encodeRows } from '../text/rows.ts';
import type { TextTokenizer } from '../text/tokenizer.ts';
import { answerWithoutRoom, encodeQuestions, type TestAnswer } from './batch-test.ts';
import { type AskVersionsOptions, failing } from './versions.ts';

/** What is known of a test before a device is opened. */
export interface PreparedVersions {
  model: BaseModel;
  tokenizer: TextTokenizer;
  opened: readonly Opened[];
  /** The ids of each question. */
  prompts: readonly (readonly number[])[];
  /** The answer to each question for which the model lacks positions. */
  refused: readonly (TestAnswer | undefined)[];
  /** Rows for the versions' loss. */
  rows: readonly EncodedRow[];
  /** The largest of any adapter. */
  rank: number;
  shape: ReturnType<typeof batchShape>;
}

/** A version with work left whose adapter was read. */
interface Opened {
  version: number;
  folder: Folder | undefined;
  modules: readonly LoraModule[];
}

/** Opens the versions and encodes what they are asked; undefined if there is nothing to do. Throws UserError. */
export async function prepareVersions(call: AskVersionsOptions): Promise<PreparedVersions | undefined> {
  const { questions, versions, maxNewTokens, shorter, emit } = call;
  const model = await openBaseModel(call.base);
  const { config } = model;
  for (const text of model.notes) {
    emit({ type: 'note', text });
  }
  const opened = await openVersions(call, config);
  if (opened.length === 0) {
    return undefined;
  }
  const tokenizer = await loadTokenizer(call.base, config.vocabSize);
  const form = await promptForm(call, opened);
  const date = await templateDate(call, opened, form, tokenizer);
  const prompts = encodeQuestions(tokenizer, questions, form, date);
  const room = { maxNewTokens, maxPositions: config.maxPositions, shorter };
  const refused = prompts.map((ids, i) => answerWithoutRoom(ids, i, room));
  if (refused.every((answer) => answer)) {
    throw new UserError(refused[0]!.error);
  }
  for (const { version } of opened) {
    refused.forEach((answer, question) => {
      if (answer && !versions[version]!.answered.has(question)) {
        emit({ type: 'answer', version, question, answer });
      }
    });
  }
  const rows = opened.some(({ version }) => versions[version]!.lossWanted)
    ? await validationRows(call, tokenizer, date)
    : [];
  const rank = Math.max(1, ...opened.flatMap(({ modules }) => modules).map(({ r }) => r));
  const asked = prompts.filter((_, i) => !refused[i]);
  const shape = batchShape(config, asked, maxNewTokens, rank);
  return { model, tokenizer, opened, prompts, refused, rows, rank, shape };
}

/** Reads the adapters of all versions with work left, before a device is opened. */
async function openVersions(call: AskVersionsOptions, config: DecoderConfig): Promise<Opened[]> {
  const opened: Opened[] = [];
  const { versions, questions, emit, signal } = call;
  for (const [version, { open, answered, lossWanted }] of versions.entries()) {
    emit({ type: 'phase', phase: 'opening files', done: version, total: versions.length, unit: 'files' });
    signal?.throwIfAborted();
    if (answered.size === questions.length && !(lossWanted && call.validation)) {
      continue;
    }
    await failing(call, version, async () => {
      const folder = await open?.();
      const modules = folder ? (await readAdapter(folder, config)).weights.map(({ module }) => module) : [];
      if (folder) {
        emit({ type: 'opened', version, hash: await adapterHash(folder) });
      }
      opened.push({ version, folder, modules });
    });
  }
  return opened;
}

/**
 * One form for all versions, so that they are asked the same: the one chosen, or that of the first version that
 * records one.
 */
async function promptForm(call: AskVersionsOptions, opened: readonly Opened[]): Promise<PromptForm> {
  const announce = (form: PromptForm, said: boolean): PromptForm => {
    call.emit({ type: 'form', form, said });
    return form;
  };
  if (call.form) {
    return announce(call.form, true);
  }
  const form = await recorded(opened, ({ prompt }) => PROMPT_FORMS.find((known) => known === prompt));
  return announce(form ?? 'text', form !== undefined);
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
    if (!folder || !(await folder.open(CURSOR))) {
      continue;
    }
    const value = read(await readCursor(folder));
    if (value !== undefined) {
      return value;
    }
  }
  return undefined;
}

async function validationRows(
  { validation, recipe, emit, signal }: AskVersionsOptions,
  tokenizer: TextTokenizer,
  moment: Moment,
): Promise<EncodedRow[]> {
  if (!validation) {
    return [];
  }
  const { maxLength, maxEvalSamples } = recipe.training;
  const { rows } = await encodeRows(validation, tokenizer, {
    maxLength,
    use: 'evaluate',
    moment,
    onProgress: ({ bytesRead, bytesTotal }) => {
      emit({ type: 'phase', phase: 'tokenizing', done: bytesRead, total: bytesTotal, unit: 'bytes' });
      signal?.throwIfAborted();
    },
  });
  return rows.slice(0, maxEvalSamples);
}
