import type { ChatMessage, PromptForm } from '../../generate/prompt-form.ts';
import type { ChosenFolder } from '../../platform/chosen-files.ts';
import type {
  ChatSampling,
  ChatVersion,
  StoredAnswer,
  StoredConversation,
} from '../../storage/conversation.ts';
import type { Answer } from '../answer.ts';

export type { ChatMessage } from '../../generate/prompt-form.ts';
export type {
  ChatSampling,
  ChatVersion,
  StoredConversation,
  StoredAnswer,
  StoredTurn,
} from '../../storage/conversation.ts';

/** What is known of a run for conversations with its versions. */
export interface ChatFacts {
  /** How the rows presented a question. */
  form: PromptForm;
  /** The system prompt that all of them had. */
  system: string | undefined;
  /** What the browser does not hold: a handle of it must be readable, or it must be chosen again. */
  lacks: readonly ('base' | 'source')[];
  /** Newest first. */
  conversations: readonly StoredConversation[];
}

export interface ChatRequest {
  version: ChatVersion;
  /** The conversation so far, ending in the user's message. */
  messages: readonly ChatMessage[];
  sampling: ChatSampling;
  /** Number of the turn: with the seed it determines the answer's random sequence. */
  turn: number;
  /** The run's base and source, for where the browser holds none. */
  files?: { base?: ChosenFolder; source?: ChosenFolder };
}

export interface ChatReply extends Pick<StoredAnswer, 'text'> {
  ended: Exclude<StoredAnswer['ended'], 'failed'>;
}

/** Conversations with the versions of a run. */
export interface ChatApi {
  openChat(run: string): Promise<Answer<ChatFacts>>;
  /**
   * Makes of a conversation what `after` makes of `before`; resolves to what is kept. It has another id if another tab
   * has gone on with the conversation too.
   */
  keepConversation(
    run: string,
    after: StoredConversation,
    before: StoredConversation | undefined,
  ): Promise<Answer<StoredConversation>>;
  deleteConversation(run: string, id: string): Promise<Answer<undefined>>;
  /** Streams an answer; requests wait for one another. */
  chat(run: string, request: ChatRequest, onText: (text: string) => void): Promise<Answer<ChatReply>>;
  /** Ends the answer that is being given; it resolves to what was said so far. */
  stopChat(): Promise<void>;
}
