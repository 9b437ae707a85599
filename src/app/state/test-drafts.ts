import type { ChosenFile, ChosenFolder, EngineApi } from '../../worker/protocol.ts';
import { DEMO_ANSWER_TOKENS, demoQuestions } from './demo-tests.ts';
import type { Store } from './store.ts';
import type { TestDraft } from './test-draft.ts';
import type { TestsState } from './tests.ts';

/** A test as it is put together, before it is run. */
export class TestDrafts {
  readonly #engine: EngineApi;
  readonly #store: Store<TestsState>;
  /** The latest file of questions: answers about earlier ones are dropped. */
  #asked: File | undefined;

  constructor(engine: EngineApi, store: Store<TestsState>) {
    this.#engine = engine;
    this.#store = store;
  }

  change(patch: Partial<TestDraft>): void {
    this.#store.update({ draft: { ...this.#store.state.draft, ...patch } });
  }

  async chooseQuestions(chosen: ChosenFile | undefined): Promise<void> {
    this.#asked = chosen?.file;
    this.change({ questions: { chosen, reading: chosen !== undefined } });
    if (!chosen) return;
    const answer = await this.#engine.inspectQuestions(chosen);
    if (this.#asked === chosen.file) this.change({ questions: { chosen, answer, reading: false } });
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
