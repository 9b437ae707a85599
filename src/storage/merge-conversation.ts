import type { StoredConversation, StoredTurn } from './conversation.ts';

/**
 * What a change of `before` into `after` makes of `now`, which another tab may have changed meanwhile: its turns and
 * votes stay. undefined if both tabs went on with the conversation, each with turns that the other's answers know
 * nothing of.
 */
export function mergeConversation(
  now: StoredConversation | undefined,
  before: StoredConversation | undefined,
  after: StoredConversation,
): StoredConversation | undefined {
  if (!now) {
    return after;
  }
  const known = before?.turns ?? [];
  const added = now.turns.slice(known.length);
  const turns = after.turns.map((turn, i) => {
    const there = now.turns[i];
    return there && i < known.length ? mergeTurn(there, known[i]!, turn) : turn;
  });
  if (added.length === 0) {
    return { ...after, turns };
  }
  return after.turns.length > known.length ? undefined : { ...after, turns: [...turns, ...added] };
}

function mergeTurn(now: StoredTurn, before: StoredTurn, after: StoredTurn): StoredTurn {
  // Only the tab that asks adds answers.
  const { answers } = now.answers.length > after.answers.length ? now : after;
  return { ...after, answers, vote: after.vote === before.vote ? now.vote : after.vote };
}

/** The conversation as one of its own, for where it cannot be merged. */
export const asOwnConversation = (conversation: StoredConversation): StoredConversation => ({
  ...conversation,
  id: crypto.randomUUID(),
  created: Date.now(),
});
