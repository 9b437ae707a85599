import { expect, it } from 'vitest';
import type { ChatVersion, StoredConversation, StoredTurn } from '../../../src/storage/conversation.ts';
import { mergeConversation } from '../../../src/storage/merge-conversation.ts';

const sampling = { temperature: 0, topP: 1, maxNewTokens: 8, seed: 1, stop: [] };
const turn = (question: string, versions: ChatVersion[] = ['v2'], vote?: ChatVersion): StoredTurn => ({
  ...{ question, sampling, blind: false, ...(vote && { vote }) },
  answers: versions.map((version) => ({ version, text: `${question} ${version}`, ended: 'stop id' })),
});
const of = (...turns: StoredTurn[]): StoredConversation => ({
  ...{ id: '01234567-89ab-4cde-8f01-23456789abcd', created: 1, system: '', shuffle: 1 },
  turns,
});

it('keeps what is new, and what is deleted elsewhere meanwhile', () => {
  expect(mergeConversation(undefined, undefined, of(turn('1')))).toEqual(of(turn('1')));
  expect(mergeConversation(of(turn('1')), of(turn('1')), of(turn('1'), turn('2')))).toEqual(
    of(turn('1'), turn('2')),
  );
  expect(mergeConversation(undefined, of(turn('1')), of(turn('1'), turn('2')))).toEqual(
    of(turn('1'), turn('2')),
  );
});

it('keeps both tabs’ votes, and takes none back', () => {
  const before = of(turn('1', ['v1', 'v2']), turn('2', ['v1', 'v2'], 'v1'));
  const now = of(turn('1', ['v1', 'v2'], 'v2'), turn('2', ['v1', 'v2'], 'v1'));
  const after = of(turn('1', ['v1', 'v2']), turn('2', ['v1', 'v2'], 'v2'));
  expect(mergeConversation(now, before, after)).toEqual(
    of(turn('1', ['v1', 'v2'], 'v2'), turn('2', ['v1', 'v2'], 'v2')),
  );
});

it('keeps turns and answers that came while there was a vote, and a vote while there came answers', () => {
  const before = of(turn('1', ['v1']));
  const voted = of(turn('1', ['v1'], 'v1'));
  const answered = of(turn('1', ['v1', 'v2']), turn('2'));
  const both = of(turn('1', ['v1', 'v2'], 'v1'), turn('2'));
  expect(mergeConversation(answered, before, voted)).toEqual(both);
  expect(mergeConversation(voted, before, answered)).toEqual(both);
});

it('adds an answer to a turn behind which another tab has asked the next', () => {
  const [before, now] = [of(turn('1', ['v1'])), of(turn('1', ['v1']), turn('2'))];
  expect(mergeConversation(now, before, of(turn('1', ['v1', 'v2'])))).toEqual(
    of(turn('1', ['v1', 'v2']), turn('2')),
  );
});

it('cannot join turns whose answers know nothing of one another', () => {
  expect(
    mergeConversation(of(turn('1'), turn('2')), of(turn('1')), of(turn('1'), turn('3'))),
  ).toBeUndefined();
  expect(mergeConversation(of(turn('1')), of(), of(turn('2')))).toBeUndefined();
});

it('takes turns again that were not kept before', () => {
  expect(mergeConversation(of(), of(turn('1')), of(turn('1'), turn('2')))).toEqual(of(turn('1'), turn('2')));
});
