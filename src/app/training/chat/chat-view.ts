import '../../elements/answer-correction.ts';
import '../../elements/ask-once.ts';
import '../../elements/notice-bar.ts';
import '../../shared/correction-tray.ts';
import './chat-answer.ts';
import './chat-settings.ts';
import './chat-votes.ts';
import { html, nothing } from 'lit';
import { customElement, query, state } from 'lit/decorators.js';
import { keyed } from 'lit/directives/keyed.js';
import type { ChatSampling, ChatVersion, StoredConversation } from '../../../engine/protocol/chat.ts';
import type { RunRecord } from '../../../engine/protocol/protocol.ts';
import { shorten } from '../../../formats/quote.ts';
import { type AnswerCorrection, editOnE, type KeptCorrection } from '../../elements/answer-correction.ts';
import { DEMO_QUESTIONS, isDemoBase } from '../../shared/demo.ts';
import { safeText } from '../../shared/safe-text.ts';
import { SessionView } from '../../shared/session-view.ts';
import { showDate } from '../../shared/show-date.ts';
import { shared } from '../../shared/styles.ts';
import {
  askedInChat,
  blindResults,
  canVote,
  isHidden,
  type ShownAnswer,
  shownConversation,
  shownSystem,
  type ShownTurn,
  shownTurns,
  versionName,
  versionsOf,
} from './chat-state.ts';
import { chatStyles } from './chat-styles.ts';
import { conversationText } from './conversation-text.ts';

/** Conversations with base, source adapter, checkpoints and result of a run, their answers side by side. */
@customElement('chat-view')
export class ChatView extends SessionView {
  @state() private invalid = false;
  @state() private said = '';
  @query('#question') private box?: HTMLTextAreaElement;

  static override styles = [shared, chatStyles];

  protected override get stores() {
    return [this.session.store, this.session.chats.store, this.session.corrections.store];
  }

  get #record(): RunRecord | undefined {
    const { run, runs } = this.app;
    return runs.find(({ id }) => id === run?.id);
  }

  readonly #name = (version: ChatVersion): string =>
    versionName(version, this.app.run?.id ?? '', this.app.runs);

  override updated(): void {
    const record = this.#record;
    if (record) {
      void this.session.chats.open(record);
    }
    const { corrections } = this.session;
    if (record?.status === 'finished' && corrections.store.state.run !== record.id) {
      void corrections.open(record.id);
    }
  }

  override render() {
    const record = this.#record;
    const { state: chat } = this.session.chats.store;
    if (!record || chat.run !== record.id) {
      return nothing;
    }
    const turns = shownTurns(chat);
    const versions = versionsOf(record);
    const results = blindResults(chat.conversations, versions);
    const system = shownSystem(chat);
    return html`<section class="panel" aria-labelledby="chat">
      ${this.#head(chat.conversations)}
      ${turns.length > 0 && system !== '' ? html`<p class="system">${safeText(system)}</p>` : nothing}
      ${turns.map((turn, i) => this.#turn(turn, i))}
      <p class="only-heard" role="status">${chat.live ? this.#progress(chat.live) : this.said}</p>
      ${
        chat.refusal === undefined
          ? nothing
          : html`<notice-bar id="refusal" kind="bad" role="alert" .text=${chat.refusal}></notice-bar>`
      }
      ${results.length > 0 ? html`<chat-votes .results=${results} .name=${this.#name}></chat-votes>` : nothing}
      ${isDemoBase(record.inputs.base) ? this.#demo() : nothing} ${this.#form(versions)}
      <correction-tray .session=${this.session}></correction-tray>
    </section>`;
  }

  #head(conversations: readonly StoredConversation[]) {
    const { chats } = this.session;
    const { shown, live } = chats.store.state;
    const conversation = shownConversation(chats.store.state);
    return html`<div class="row head">
      <h3 id="chat">Chat</h3>
      ${
        conversations.length === 0
          ? nothing
          : html`<select
              aria-label="Conversation"
              ?disabled=${live !== undefined}
              @change=${(event: Event) => chats.show((event.target as HTMLSelectElement).value || undefined)}
            >
              <option value="" ?selected=${shown === undefined}>A new conversation</option>
              ${conversations.map(
                (one) =>
                  html`<option value=${one.id} ?selected=${one.id === shown}>
                    ${safeText(titleOf(one))}
                  </option>`,
              )}
            </select>`
      }
      ${
        conversation
          ? html`<button type="button" ?disabled=${live !== undefined} @click=${() => this.#showNew()}>
                New conversation
              </button>
              <button type="button" @click=${() => void this.#copy(conversation)}>Copy all</button>
              <ask-once
                .subject=${'this conversation'}
                .locked=${live !== undefined}
                .question=${'Delete this conversation and its votes for good?'}
                @confirmed=${async () => {
                  await chats.delete(conversation.id);
                  this.box?.focus();
                }}
              ></ask-once>`
          : nothing
      }
    </div>`;
  }

  #turn(turn: ShownTurn, number: number) {
    const { question, sampling, answers, blind, vote } = turn;
    const hidden = isHidden(turn);
    const { temperature, topP, seed } = sampling;
    const name = (version: ChatVersion, i: number) => {
      const chosen = blind && vote === version ? ' ✓ your vote' : '';
      return hidden ? letter(i) : `${blind ? `${letter(i)}: ` : ''}${this.#name(version)}${chosen}`;
    };
    return html`<div class="turn">
      <p class="question">${safeText(question)}</p>
      ${
        temperature > 0
          ? html`<p class="soft small numbers">Temperature ${temperature}, top-p ${topP}, seed ${seed}</p>`
          : nothing
      }
      <div class="answers" @keydown=${editAtE}>
        ${answers.map((answer, i) =>
          keyed(
            answer.version,
            this.#correctable(
              turn,
              number,
              answer,
              html`<chat-answer .name=${name(answer.version, i)} .answer=${answer}></chat-answer>`,
            ),
          ),
        )}
      </div>
      ${hidden && canVote(turn) ? this.#vote(turn, number) : nothing}
    </div>`;
  }

  /** An answer that has ended, with a way to correct it where the run's result can be trained further. */
  #correctable(turn: ShownTurn, number: number, { version, text, state: at }: ShownAnswer, shown: unknown) {
    const { corrections, chats } = this.session;
    const record = this.#record;
    const ended = !['waiting', 'streaming', 'failed'].includes(at);
    if (!ended || isHidden(turn) || record === undefined || corrections.store.state.run !== record.id) {
      return shown;
    }
    const { state: chat } = chats.store;
    const asked = askedInChat(chat, version, number);
    const name = this.#name(version);
    const kept = corrections.of(asked);
    const own = kept?.version === name ? kept : undefined;
    return html`<answer-correction
      .answer=${text}
      .correction=${own}
      .trainedIn=${own?.trainedIn?.name ?? ''}
      .subject=${`message ${number + 1}, ${name}`}
      @keep=${({ detail }: CustomEvent<KeptCorrection>) =>
        void corrections.keep({ ...asked, ...detail, version: name })}
      @remove=${() => void corrections.remove(asked)}
      >${shown}</answer-correction
    >`;
  }

  #vote({ answers }: ShownTurn, number: number) {
    const button = (text: string, vote: ChatVersion | 'same') =>
      html`<button type="button" @click=${() => void this.session.chats.vote(number, vote)}>${text}</button>`;
    return html`<div class="row" role="group" aria-label=${`Your vote on question ${number + 1}`}>
      <span class="small">Which answer is best? Then the names are shown.</span>
      ${answers.map(({ version }, i) => button(letter(i), version))} ${button('Equally good', 'same')}
    </div>`;
  }

  #demo() {
    const { live } = this.session.chats.store.state;
    return html`<p class="row" aria-label="Questions of the demo">
      ${DEMO_QUESTIONS.map(
        (question) =>
          html`<button
            type="button"
            ?disabled=${live !== undefined || this.#asked.length === 0}
            @click=${() => {
              // Its model knows no conversations.
              this.session.chats.show(undefined);
              void this.session.chats.ask(question);
            }}
          >
            ${question}
          </button>`,
      )}
    </p>`;
  }

  get #asked(): readonly ChatVersion[] {
    const { draft } = this.session.chats.store.state;
    const record = this.#record;
    return record ? versionsOf(record).filter((version) => draft.versions.includes(version)) : [];
  }

  #form(versions: readonly ChatVersion[]) {
    const { chats } = this.session;
    const { state: chat } = chats.store;
    const { draft, live, stopping } = chat;
    const asked = this.#asked;
    return html`<form
      @submit=${(event: Event) => {
        event.preventDefault();
        void this.#ask();
      }}
    >
      <label class="only-heard" for="question">Question</label>
      <textarea
        id="question"
        aria-describedby=${chat.refusal === undefined ? nothing : 'refusal'}
        placeholder="Ask something that the new rows teach"
        @keydown=${(event: KeyboardEvent) => {
          if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
            event.preventDefault();
            void this.#ask();
          }
        }}
      ></textarea>
      <fieldset>
        <legend>Answered by</legend>
        ${versions.map(
          (version) =>
            html`<label class="check"
              ><input
                type="checkbox"
                .checked=${draft.versions.includes(version)}
                @change=${() => this.#toggle(version)}
              />${this.#name(version)}</label
            >`,
        )}
      </fieldset>
      <div class="row">
        <label class="check blind"
          ><input
            type="checkbox"
            ?disabled=${asked.length < 2}
            .checked=${draft.blind && asked.length > 1}
            @change=${(event: Event) => chats.change({ blind: (event.target as HTMLInputElement).checked })}
          />Blind: names are hidden until you vote</label
        >
        ${
          live
            ? html`<button type="button" ?disabled=${stopping} @click=${() => void chats.stop()}>
                ${stopping ? 'Canceling…' : 'Cancel'}
              </button>`
            : nothing
        }
        <button type="submit" ?disabled=${live !== undefined || asked.length === 0 || this.invalid}>
          ${live ? 'Answering…' : 'Ask'}
        </button>
      </div>
      <chat-settings
        .system=${shownSystem(chat)}
        .begun=${shownConversation(chat) !== undefined}
        .form=${chat.facts?.form}
        .sampling=${draft.sampling}
        @system=${({ detail }: CustomEvent<string>) => chats.change({ system: detail })}
        @sampling=${({ detail }: CustomEvent<ChatSampling>) => chats.change({ sampling: detail })}
        @validity=${({ detail }: CustomEvent<boolean>) => (this.invalid = detail)}
      ></chat-settings>
    </form>`;
  }

  #progress(live: ShownTurn): string {
    const i = live.answers.findIndex(({ state: at }) => at === 'waiting' || at === 'streaming');
    const answer = live.answers[i];
    return answer ? `${live.blind ? letter(i) : this.#name(answer.version)} is answering.` : '';
  }

  #toggle(version: ChatVersion): void {
    const { chats } = this.session;
    const { versions } = chats.store.state.draft;
    const has = versions.includes(version);
    chats.change({
      versions: has ? versions.filter((other) => other !== version) : [...versions, version],
    });
  }

  #showNew(): void {
    this.session.chats.show(undefined);
    this.box?.focus();
  }

  async #ask(): Promise<void> {
    const { box } = this;
    const question = box?.value.trim();
    const { live } = this.session.chats.store.state;
    if (!box || !question || live || this.invalid || this.#asked.length === 0) {
      return;
    }
    box.value = '';
    this.said = '';
    const answered = await this.session.chats.ask(question);
    if (answered) {
      this.said = 'Answered.';
    } else if (box.value === '') {
      // Nothing of it was kept.
      box.value = question;
    }
  }

  async #copy(conversation: StoredConversation): Promise<void> {
    const done = navigator.clipboard.writeText(conversationText(conversation, this.#name));
    this.said = await done.then(
      () => 'The conversation is copied.',
      () => 'The browser did not allow it.',
    );
  }
}

const editAtE = (event: KeyboardEvent): void =>
  editOnE(event, (target) => target.closest<AnswerCorrection>('answer-correction'));

const letter = (i: number): string => String.fromCharCode(65 + i);

function titleOf({ turns, created }: StoredConversation): string {
  return `${showDate(created)}: ${shorten(turns[0]?.question ?? '')}`;
}
