import type { ChosenFile, ChosenFolder, EngineApi } from '../../engine/protocol/protocol.ts';
import { UserError } from '../../formats/user-error.ts';
import { Asking } from '../shared/asking.ts';
import { DEMO_ANSWER_TOKENS, demoQuestions } from '../shared/demo-tests.ts';
import type { Store } from '../shared/store.ts';
import type { TestDraft } from './test-draft.ts';
import type { TestsState } from './tests.ts';

/** A test as it is put together, before it is run. */
export class TestDrafts {
  readonly #engine: EngineApi;
  readonly #store: Store<TestsState>;
  readonly #asking = new Asking<'questions'>();

  constructor(engine: EngineApi, store: Store<TestsState>) {
    this.#engine = engine;
    this.#store = store;
  }

  change(patch: Partial<TestDraft>): void {
    this.#store.update({ draft: { ...this.#store.state.draft, ...patch } });
  }

  async chooseQuestions(chosen: ChosenFile | undefined): Promise<void> {
    this.#asking.drop('questions');
    this.change({ questions: { chosen, reading: chosen !== undefined } });
    if (!chosen) {
      return;
    }
    const answer = await this.#asking.ask('questions', (signal) =>
      this.#engine.inspectQuestions(chosen, signal),
    );
    if (answer) {
      this.change({ questions: { chosen, answer, reading: false } });
    }
  }

  /** Ends the reading of the questions. */
  cancelQuestions(): void {
    const name = this.#store.state.draft.questions.chosen?.file.name ?? 'The questions';
    const reason = new UserError(`${name}: reading it was canceled; choose it again, or another one.`);
    this.#asking.cancel('questions', reason);
  }

  async chooseDemoQuestions(): Promise<void> {
    try {
      this.change({ maxNewTokens: DEMO_ANSWER_TOKENS });
      await this.chooseQuestions({ file: await demoQuestions() });
    } catch (error) {
      const refusal = `The demo could not be read (${String(error)}); choose a file of your own.`;
      this.#store.update({ refusal });
    }
  }

  addFolder(folder: ChosenFolder, chosen: readonly string[]): void {
    const { draft } = this.#store.state;
    this.change({
      folders: [...draft.folders, folder],
      versions: [...chosen, `folder/${draft.folders.length}`],
    });
  }
}
