import type { ByteSource, Folder } from '../formats/byte-source.ts';
import type { Recipe } from '../formats/recipe.ts';
import type { PromptForm } from '../generate/prompt-form.ts';
import type { Sampling } from '../generate/sampling.ts';
import type { Gpu } from '../gpu/device.ts';
import type { BaseCache } from '../model/base/cache/base-cache.ts';
import type { RunEvent } from '../run/events.ts';
import { type Moment, showMoment } from '../text/moment.ts';
import { askVersions } from './ask-versions.ts';
import type { BatchProgress, TestAnswer } from './batch-test.ts';
import { parseQuestions } from './questions.ts';
import { type BatchTestFile, batchTestFile, generationSettings } from './results.ts';
import type { VersionsEvent } from './versions.ts';

/** Progress events of a batch test. */
export type AskEvent =
  Extract<RunEvent, { type: 'phase' | 'note' }> | { type: 'answering'; progress: BatchProgress };

export interface AskModelOptions {
  base: Folder;
  /** Undefined for the base alone. */
  adapter: Folder | undefined;
  questions: ByteSource;
  /** How questions are presented; undefined for the form that the adapter was trained with. */
  form: PromptForm | undefined;
  /**
   * The current date for a chat template that writes it; undefined for that of the adapter's run, or now if it has
   * none.
   */
  date?: Moment | undefined;
  /** How the base is quantized, as in training. */
  recipe: Recipe;
  maxNewTokens: number;
  /** As for askVersions. */
  shorter: string;
  sampling: Sampling;
  seed: number;
  /** As recorded in the result. */
  testDate: string;
  baseCache?: BaseCache | undefined;
  openGpu: () => Promise<Gpu>;
  emit: (event: AskEvent) => void;
  /** Stops the test; the call rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** Asks a model all questions. Throws UserError. */
export async function askModel(call: AskModelOptions): Promise<BatchTestFile> {
  const { base, adapter, maxNewTokens, sampling, seed } = call;
  const questions = await parseQuestions(call.questions);
  const { name } = adapter ?? base;
  const answers: TestAnswer[] = [];
  let asked: PromptForm = 'text';
  let date: Moment | undefined;
  const emit = (event: VersionsEvent): void => {
    switch (event.type) {
      case 'failed':
        throw event.error;
      case 'answer':
        answers[event.question] = event.answer;
        if (event.answer.error !== undefined) {
          call.emit({ type: 'note', text: event.answer.error });
        }
        break;
      case 'form':
        asked = event.form;
        if (!event.said) {
          call.emit({ type: 'note', text: formNote(adapter) });
        }
        break;
      case 'date':
        ({ date } = event);
        if (date === undefined && call.date !== undefined) {
          call.emit({ type: 'note', text: NO_DATE });
        }
        if (date !== undefined && !event.said) {
          call.emit({ type: 'note', text: todayNote(date, adapter) });
        }
        break;
      case 'phase':
      case 'note':
      case 'answering':
        call.emit(event);
    }
  };
  await askVersions({
    ...call,
    questions,
    emit,
    versions: [
      {
        open: adapter && (() => Promise.resolve(adapter)),
        answered: new Set(),
        lossWanted: false,
      },
    ],
    validation: undefined,
  });
  return batchTestFile(questions, answers, {
    testDate: call.testDate,
    modelPath: name,
    generation: generationSettings(asked, maxNewTokens, sampling, seed, date),
  });
}

const NO_DATE = '--date has no effect: no chat template writes the date into these prompts.';

const todayNote = (date: Moment, adapter: Folder | undefined): string =>
  `The chat template writes the current date: ${showMoment(date)}, since ${adapter ? `${adapter.name} has no training date` : 'the base alone has none'}; --date sets another.`;

function formNote(adapter: Folder | undefined): string {
  return `${adapter?.name ?? 'the base'} does not say how it was asked in training, so questions are put as "### Instruction: …"; --prompt chat uses the chat template.`;
}
