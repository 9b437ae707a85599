import type {
  ChatFacts,
  ChatMessage,
  ChatSampling,
  ChatVersion,
  StoredAnswer,
  StoredConversation,
  StoredTurn,
} from '../../../engine/protocol/chat.ts';
import type { AskedQuestion } from '../../../engine/protocol/corrections.ts';
import type { RunRecord } from '../../../engine/protocol/protocol.ts';
import { resultName, sourceName } from '../../shared/version-names.ts';
import { type VoteResult, voteResult } from '../../shared/votes.ts';

/** An answer as it is shown; what has ended is stored. */
export interface ShownAnswer {
  version: ChatVersion;
  text: string;
  state: 'waiting' | 'streaming' | StoredAnswer['ended'];
}

export interface ShownTurn extends Omit<StoredTurn, 'answers'> {
  answers: readonly ShownAnswer[];
}

/** How the next message is asked. */
export interface ChatDraft {
  /** undefined: what all of the run's rows had. */
  system: string | undefined;
  sampling: ChatSampling;
  blind: boolean;
  versions: readonly ChatVersion[];
}

export interface ChatState {
  /** The run whose conversations these are. */
  run?: string | undefined;
  facts?: Omit<ChatFacts, 'conversations'> | undefined;
  /** Newest first. */
  conversations: readonly StoredConversation[];
  /** The id of the one that is shown; undefined for a new one. */
  shown?: string | undefined;
  draft: ChatDraft;
  /** The turn under way, and its number. */
  live?: (ShownTurn & { number: number }) | undefined;
  stopping: boolean;
  /** Why a request was refused. */
  refusal?: string | undefined;
}

export const emptyChatDraft: ChatDraft = {
  system: undefined,
  sampling: { temperature: 0, topP: 0.9, maxNewTokens: 512, seed: 42, stop: [] },
  blind: false,
  versions: ['v1', 'v2'],
};

export const emptyChat: ChatState = { conversations: [], draft: emptyChatDraft, stopping: false };

/** The conversation that is shown; undefined for a new one. */
export const shownConversation = ({ conversations, shown }: ChatState): StoredConversation | undefined =>
  conversations.find(({ id }) => id === shown);

/** The system prompt of the conversation that is shown, or of the next one. */
export const shownSystem = (state: ChatState): string =>
  shownConversation(state)?.system ?? state.draft.system ?? state.facts?.system ?? '';

/** Everything shown of the conversation. */
export function shownTurns(state: ChatState): readonly ShownTurn[] {
  const stored = shownConversation(state)?.turns ?? [];
  const turns = stored.map(({ answers, ...turn }) => ({
    ...turn,
    answers: answers.map(({ version, text, ended }) => ({ version, text, state: ended })),
  }));
  const { live } = state;
  // What it has of the turn already is stored.
  return live ? [...turns.slice(0, live.number), live] : turns;
}

/** The messages of a version's own conversation: the turns that it answered, and the next message. */
export function messagesFor(
  version: ChatVersion,
  system: string,
  turns: readonly StoredTurn[],
  next: string,
): ChatMessage[] {
  const messages: ChatMessage[] = system === '' ? [] : [{ role: 'system', content: system }];
  for (const { question, answers } of turns) {
    const own = answers.find((answer) => answer.version === version && answer.ended !== 'failed');
    if (own) {
      messages.push({ role: 'user', content: question }, { role: 'assistant', content: own.text });
    }
  }
  return [...messages, { role: 'user', content: next }];
}

/** What a version was asked by a message of the conversation: after what it had been asked and had answered before. */
export function askedInChat(state: ChatState, version: ChatVersion, number: number): AskedQuestion {
  const turns = shownTurns(state);
  const history = turns.slice(0, number).flatMap(({ question, answers }) => {
    const own = answers.find((answer) => answer.version === version && answer.state !== 'failed');
    return own ? [{ question, answer: own.text }] : [];
  });
  const system = shownSystem(state);
  return {
    question: turns[number]!.question,
    // The system prompt of the rows is known without saying so.
    ...(system !== (state.facts?.system ?? '') && { system }),
    ...(history.length > 0 && { history }),
  };
}

/** Whether the names of a turn's versions are hidden. */
export const isHidden = ({ blind, vote }: Pick<StoredTurn, 'blind' | 'vote'>): boolean =>
  blind && vote === undefined;

/** Answers among which there can be a vote. */
export const canVote = ({ answers }: Pick<ShownTurn, 'answers'>): boolean =>
  answers.length > 1 && answers.every(({ state }) => !['waiting', 'streaming', 'failed'].includes(state));

/** What can be asked of a run: base, source, the step that was taken as its result, other checkpoints, result. */
export function versionsOf(run: RunRecord): ChatVersion[] {
  const { inputs, checkpoints, status, step, best, taken } = run;
  const finished = status === 'finished';
  // The last checkpoint of a finished run is its result.
  const result = finished ? (best?.step ?? step) : undefined;
  const saved = checkpoints.map((checkpoint) => checkpoint.step).filter((saved) => saved !== result);
  return [
    'base',
    ...(inputs.source === undefined ? [] : (['v1'] as const)),
    ...saved
      .toSorted((a, b) => Number(b === taken?.step) - Number(a === taken?.step))
      .map((saved) => `checkpoint-${saved}` as const),
    ...(finished ? (['v2'] as const) : []),
  ];
}

/** The two that are asked at first: what the run continued and what it made, or what was taken as that. */
export function usualVersions(run: RunRecord): ChatVersion[] {
  const versions = versionsOf(run);
  const made = run.taken ? (`checkpoint-${run.taken.step}` as const) : 'v2';
  const usual = versions.filter((version) => version === 'v1' || version === made);
  return usual.length > 1 ? usual : versions.slice(-2);
}

export function versionName(version: ChatVersion, id: string, runs: readonly RunRecord[]): string {
  switch (version) {
    case 'base':
      return 'Base';
    case 'v1':
      return sourceName(id, runs);
    case 'v2':
      return resultName(id, runs);
    default:
      return `${resultName(id, runs)} step ${version.slice('checkpoint-'.length)}`;
  }
}

/** Two versions and how the blind votes between them fell. */
export interface BlindResult extends VoteResult {
  versions: readonly [a: ChatVersion, b: ChatVersion];
  counts: { a: number; b: number; same: number };
}

/** The blind votes of all conversations, for every two versions between which there was a choice. */
export function blindResults(
  conversations: readonly StoredConversation[],
  order: readonly ChatVersion[],
): BlindResult[] {
  const voted = conversations.flatMap(({ turns }) => turns).filter(({ blind, vote }) => blind && vote);
  const pairs = order.flatMap((a, i) => order.slice(i + 1).map((b) => [a, b] as const));
  return pairs.flatMap((versions) => {
    const [a, b] = versions;
    const both = voted.filter(({ answers }) =>
      versions.every((version) => answers.some((answer) => answer.version === version)),
    );
    const count = (vote: ChatVersion | 'same') => both.filter((turn) => turn.vote === vote).length;
    const counts = { a: count(a), b: count(b), same: count('same') };
    const result = voteResult(counts);
    return result ? [{ ...result, versions, counts }] : [];
  });
}
