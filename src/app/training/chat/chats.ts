import type {
  ChatRequest,
  ChatVersion,
  StoredAnswer,
  StoredConversation,
} from '../../../engine/protocol/chat.ts';
import type { EngineApi, RunRecord } from '../../../engine/protocol/protocol.ts';
import { mayRead } from '../../../platform/permission.ts';
import type { AppState } from '../../shared/app-state.ts';
import { askToRead } from '../../shared/browser-questions.ts';
import { isDemoBase } from '../../shared/demo.ts';
import { demoBase } from '../../shared/demo-tests.ts';
import type { EngineWatch } from '../../shared/engine-watch.ts';
import { Store } from '../../shared/store.ts';
import { shuffled } from '../../shared/votes.ts';
import {
  type ChatDraft,
  type ChatState,
  emptyChat,
  emptyChatDraft,
  messagesFor,
  type ShownAnswer,
  shownConversation,
  shownSystem,
  usualVersions,
  versionsOf,
} from './chat-state.ts';

/** Nothing of any run. */
const NONE = {
  ...emptyChat,
  ...{ run: undefined, facts: undefined, shown: undefined, live: undefined, refusal: undefined },
} as const;

const PARTED =
  'Another tab continued this conversation too; what was said here is now a separate conversation.';

/** Conversations with the versions of a run, which answer one after the other, since there is one GPU. */
export class Chats {
  readonly store = new Store<ChatState>(emptyChat);
  readonly #engine: EngineApi;
  readonly #app: Store<AppState>;
  readonly #watch: EngineWatch;
  /** The run, whether it had finished, and what was taken as its result. */
  #opened = '';
  #asking: Promise<boolean> = Promise.resolve(false);

  constructor(engine: EngineApi, app: Store<AppState>, watch: EngineWatch) {
    this.#engine = engine;
    this.#app = app;
    this.#watch = watch;
  }

  /** Shows the conversations of a run, the latest first; those that are shown already stay. */
  async open(run: RunRecord): Promise<void> {
    const opened = `${run.id} ${run.status} ${run.taken?.step}`;
    if (this.#opened === opened) {
      return;
    }
    this.#opened = opened;
    if (this.store.state.live) {
      await this.stop();
      await this.#asking.catch(() => undefined);
    }
    this.store.update({
      ...NONE,
      run: run.id,
      draft: { ...emptyChatDraft, versions: usualVersions(run) },
    });
    const answer = await this.#engine.openChat(run.id);
    if (this.store.state.run !== run.id) {
      return;
    }
    if (!answer.ok) {
      return this.store.update({ refusal: answer.sentence });
    }
    const { conversations, ...facts } = answer.value;
    this.store.update({ facts, conversations, shown: conversations[0]?.id });
  }

  /** Another tab may have gone on with a conversation. */
  async refresh(): Promise<void> {
    const { run, live } = this.store.state;
    const answer = run === undefined || live ? undefined : await this.#engine.openChat(run);
    if (answer?.ok && this.store.state.run === run && !this.store.state.live) {
      const { conversations, ...facts } = answer.value;
      const { shown } = this.store.state;
      const isThere = shown === undefined || conversations.some(({ id }) => id === shown);
      this.store.update({ facts, conversations, shown: isThere ? shown : conversations[0]?.id });
    }
  }

  /** Shows nothing of a deleted run: one imported in its place has conversations of its own. */
  forget(id: string): void {
    if (this.store.state.run === id) {
      this.#opened = '';
      this.store.update({ ...NONE, draft: emptyChatDraft });
    }
  }

  change(draft: Partial<ChatDraft>): void {
    this.store.update({ draft: { ...this.store.state.draft, ...draft } });
  }

  /** Shows a conversation; undefined begins a new one. */
  show(id: string | undefined): void {
    this.store.update({ shown: id, refusal: undefined });
  }

  /**
   * Asks the versions of the draft. Resolves to whether one of them answered: if none did, nothing is kept of the
   * question. Called from a click: the browser may have to ask for permission to read the files.
   */
  ask(question: string): Promise<boolean> {
    const { run, live } = this.store.state;
    const record = this.#app.state.runs.find(({ id }) => id === run);
    if (!record || live) {
      return Promise.resolve(false);
    }
    return (this.#asking = this.#ask(record, question));
  }

  async #ask(record: RunRecord, question: string): Promise<boolean> {
    const { draft } = this.store.state;
    let conversation = shownConversation(this.store.state) ?? this.#begin();
    const { id } = conversation;
    const { sampling, versions } = draft;
    const blind = draft.blind && versions.length > 1;
    const turn = conversation.turns.length;
    const asked = versionsOf(record).filter((version) => versions.includes(version));
    const order = blind ? shuffled(asked, conversation.shuffle, turn) : asked;
    const answers = order.map((version): ShownAnswer => ({ version, text: '', state: 'waiting' }));
    this.store.update({
      live: { number: turn, question, sampling, blind, answers },
      stopping: false,
      refusal: undefined,
    });
    try {
      const files = await this.#files(record);
      const given: StoredAnswer[] = [];
      for (const version of order) {
        if (this.store.state.stopping) {
          break;
        }
        const { system, turns } = conversation;
        const messages = messagesFor(version, system, turns.slice(0, turn), question);
        given.push(await this.#answer(record.id, { version, messages, sampling, turn, files }));
        // Without answers there is no turn.
        if (kept(given).length > 0) {
          const answered = { ...turns[turn], question, sampling, blind, answers: kept(given) };
          const after = { ...conversation, turns: turns.toSpliced(turn, 1, answered) };
          conversation = await this.#put(record.id, after, conversation);
        }
      }
      const refused = given.filter(({ ended }) => ended === 'failed');
      if (refused.length === given.length && refused[0]) {
        this.store.update({ refusal: refused[0].text });
      }
      return kept(given).length > 0;
    } finally {
      this.store.update({ live: undefined, stopping: false });
      if (conversation.id !== id) {
        await this.refresh();
      }
    }
  }

  /** Ends the answer that is being given; the versions after it are not asked. */
  async stop(): Promise<void> {
    this.store.update({ stopping: true });
    void this.#watch.watch();
    await this.#engine.stopChat();
  }

  /** Votes on a turn of the conversation that is shown. */
  async vote(turn: number, vote: ChatVersion | 'same'): Promise<void> {
    const { run } = this.store.state;
    const conversation = shownConversation(this.store.state);
    if (run !== undefined && conversation) {
      const turns = conversation.turns.with(turn, { ...conversation.turns[turn]!, vote });
      await this.#put(run, { ...conversation, turns }, conversation);
    }
  }

  async delete(id: string): Promise<void> {
    const { run, conversations, shown } = this.store.state;
    const answer = await this.#engine.deleteConversation(run!, id);
    if (!answer.ok) {
      return this.store.update({ refusal: answer.sentence });
    }
    const left = conversations.filter((one) => one.id !== id);
    this.store.update({ conversations: left, shown: shown === id ? undefined : shown });
  }

  #begin(): StoredConversation {
    return {
      id: crypto.randomUUID(),
      created: Date.now(),
      system: shownSystem(this.store.state),
      shuffle: crypto.getRandomValues(new Uint32Array(1))[0]!,
      turns: [],
    };
  }

  /** What of the run's files the browser may not hold, as far as the page has them. */
  async #files({ inputs, handles }: RunRecord): Promise<NonNullable<ChatRequest['files']>> {
    const { lacks = [] } = this.store.state.facts ?? {};
    const behind = lacks.map((part) => handles[part]).filter((handle) => handle !== undefined);
    await mayRead(behind, askToRead(this.#app, 'to answer with it'));
    const { base, source } = this.#app.state.slots;
    const shipped = lacks.includes('base') && isDemoBase(inputs.base) && !base.chosen;
    const given = shipped ? await demoBase().catch(() => undefined) : base.chosen;
    return { ...(given && { base: given }), ...(source.chosen && { source: source.chosen }) };
  }

  async #answer(run: string, request: ChatRequest): Promise<StoredAnswer> {
    const { version } = request;
    let text = '';
    const show = (patch: Omit<ShownAnswer, 'version'>) => {
      const { live } = this.store.state;
      if (live) {
        const answers = live.answers.map((one) => (one.version === version ? { version, ...patch } : one));
        this.store.update({ live: { ...live, answers } });
      }
    };
    const answer = await this.#engine.chat(run, request, (piece) => {
      text += piece;
      show({ text, state: 'streaming' });
    });
    const given: Omit<StoredAnswer, 'version'> = answer.ok
      ? answer.value
      : { text: answer.sentence, ended: 'failed' };
    show({ text: given.text, state: given.ended });
    return { version, ...given };
  }

  /** Resolves to the conversation as it is kept, which another tab may have changed. */
  async #put(
    run: string,
    after: StoredConversation,
    before: StoredConversation,
  ): Promise<StoredConversation> {
    this.#update(after);
    const answer = await this.#engine.keepConversation(run, after, before);
    if (!answer.ok) {
      this.store.update({ refusal: answer.sentence });
      return after;
    }
    const { value } = answer;
    if (this.store.state.run === run) {
      if (value.id !== after.id) {
        this.#update(before);
        this.store.update({ refusal: PARTED });
      }
      this.#update(value);
    }
    return value;
  }

  /** Shows a conversation as it is now. */
  #update(conversation: StoredConversation): void {
    const others = this.store.state.conversations.filter(({ id }) => id !== conversation.id);
    const conversations = [conversation, ...others].toSorted((a, b) => b.created - a.created);
    this.store.update({ conversations, shown: conversation.id });
  }
}

/** What is kept of the answers: nothing where none was given, or it was canceled before its first word. */
function kept(given: readonly StoredAnswer[]): StoredAnswer[] {
  const said = given.filter(({ ended, text }) => ended !== 'cancelled' || text !== '');
  return said.some(({ ended }) => ended !== 'failed') ? said : [];
}
