import type { ChatOptions, ChatVersion, EngineApi } from '../../engine/protocol/protocol.ts';
import type { AppState, ChatTurn } from '../shared/app-state.ts';
import type { EngineWatch } from '../shared/engine-watch.ts';
import type { Store } from '../shared/store.ts';

/** The chat box: one question to one or more versions, one after the other, since there is one GPU. */
export class ChatBox {
  readonly #engine: EngineApi;
  readonly #store: Store<AppState>;
  readonly #watch: EngineWatch;
  #stopped = false;

  constructor(engine: EngineApi, store: Store<AppState>, watch: EngineWatch) {
    this.#engine = engine;
    this.#store = store;
    this.#watch = watch;
  }

  async ask(
    id: string,
    question: string,
    versions: readonly ChatVersion[],
    options: ChatOptions,
  ): Promise<void> {
    this.#stopped = false;
    const turn = this.#store.state.chat.length;
    const answers = versions.map((version) => ({ version, text: '', state: 'waiting' as const }));
    this.#store.update({ chat: [...this.#store.state.chat, { question, answers }], chatBusy: true });
    try {
      for (const version of versions) {
        if (!this.#stopped) {
          await this.#answer(turn, id, version, question, options);
        }
      }
    } finally {
      // A version that is no longer asked is not shown beside the others.
      const asked = this.#store.state.chat.map((entry) => ({
        ...entry,
        answers: entry.answers.filter(({ state }) => state !== 'waiting'),
      }));
      this.#store.update({ chat: asked, chatBusy: false });
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    void this.#watch.watch();
    await this.#engine.stopChat();
  }

  async #answer(
    turn: number,
    id: string,
    version: ChatVersion,
    question: string,
    options: ChatOptions,
  ): Promise<void> {
    let text = '';
    const onText = (piece: string) => {
      text += piece;
      this.#set(turn, version, { text, state: 'streaming' });
    };
    const answer = await this.#engine.chat(id, version, question, onText, options);
    const last = answer.ok
      ? { text: answer.value, state: 'done' as const }
      : { text: answer.sentence, state: 'failed' as const };
    this.#set(turn, version, last);
  }

  #set(turn: number, version: ChatVersion, patch: Omit<ChatTurn['answers'][number], 'version'>): void {
    const chat = this.#store.state.chat.map((entry, i) => {
      if (i !== turn) {
        return entry;
      }
      const answers = entry.answers.map((a) => (a.version === version ? { version, ...patch } : a));
      return { ...entry, answers };
    });
    this.#store.update({ chat });
  }
}
