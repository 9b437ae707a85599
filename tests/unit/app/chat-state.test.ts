import { describe, expect, it } from 'vitest';
import {
  askedInChat,
  blindResults,
  canVote,
  emptyChat,
  messagesFor,
  shownTurns,
  usualVersions,
  versionsOf,
} from '../../../src/app/training/chat/chat-state.ts';
import { conversationText } from '../../../src/app/training/chat/conversation-text.ts';
import { readSampling, samplingText } from '../../../src/app/training/chat/sampling-fields.ts';
import type { StoredConversation, StoredTurn } from '../../../src/engine/protocol/chat.ts';
import type { RunRecord } from '../../../src/engine/protocol/protocol.ts';

const sampling = { temperature: 0, topP: 0.9, maxNewTokens: 8, seed: 42, stop: [] };
const turn = (
  question: string,
  said: Record<string, string>,
  more: Partial<StoredTurn> = {},
): StoredTurn => ({
  ...{ question, sampling, blind: false, ...more },
  answers: Object.entries(said).map(([version, text]) => ({
    version: version as 'v1',
    text,
    ended: text === 'no' ? 'failed' : 'stop id',
  })),
});
const conversation = (...turns: StoredTurn[]): StoredConversation => ({
  ...{ id: 'c', created: 1, system: '', shuffle: 1, turns },
});

describe('messagesFor', () => {
  const turns = [turn('1?', { v1: 'one', v2: 'ONE' }), turn('2?', { v1: 'no', v2: 'TWO' })];

  it('continues the answers of the version itself', () => {
    expect(
      messagesFor('v2', 'Be short.', turns, '3?').map(({ role, content }) => `${role}: ${content}`),
    ).toEqual(['system: Be short.', 'user: 1?', 'assistant: ONE', 'user: 2?', 'assistant: TWO', 'user: 3?']);
  });

  it('leaves out the turns to which it gave no answer', () => {
    expect(messagesFor('v1', '', turns, '3?').map(({ content }) => content)).toEqual(['1?', 'one', '3?']);
    expect(messagesFor('base', '', turns, '3?')).toEqual([{ role: 'user', content: '3?' }]);
  });
});

it('shows the turn under way in place of what is stored of it', () => {
  const one = conversation(turn('1?', { v1: 'one' }), turn('2?', { v1: 'two' }));
  const live = { ...turn('2?', {}), number: 1, answers: [] };
  const state = { ...emptyChat, conversations: [one], shown: 'c' };
  expect(shownTurns(state)).toHaveLength(2);
  const shown = shownTurns({ ...state, live });
  expect(shown).toHaveLength(2);
  expect(shown[1]!.answers).toEqual([]);
});

it('knows what a version was asked, for its correction: after its own answers, under another system prompt', () => {
  const turns = [turn('1?', { v1: 'one', v2: 'ONE' }), turn('2?', { v1: 'no', v2: 'TWO' }), turn('3?', {})];
  const state = { ...emptyChat, conversations: [conversation(...turns)], shown: 'c' };
  expect(askedInChat(state, 'v2', 0)).toEqual({ question: '1?' });
  expect(askedInChat(state, 'v1', 2)).toEqual({
    question: '3?',
    history: [{ question: '1?', answer: 'one' }],
  });
  const facts = { form: 'chat' as const, system: 'Be short.', lacks: [] };
  expect(askedInChat({ ...state, facts }, 'base', 2)).toEqual({ question: '3?', system: '' });
  const same = { ...conversation(...turns), system: 'Be short.' };
  expect(askedInChat({ ...state, conversations: [same], facts }, 'base', 2)).toEqual({ question: '3?' });
});

it('asks what a run has: its result is not its last checkpoint once more', () => {
  const run = {
    status: 'finished',
    step: 60,
    inputs: { base: 'b', source: 'v1', train: 't', validation: undefined },
    checkpoints: [{ step: 40 }, { step: 60 }],
  } as unknown as RunRecord;
  expect(versionsOf(run)).toEqual(['base', 'v1', 'checkpoint-40', 'v2']);
  expect(versionsOf({ ...run, status: 'unfinished' })).toEqual([
    'base',
    'v1',
    'checkpoint-40',
    'checkpoint-60',
  ]);
  const taken = { step: 40, hash: 'h' };
  const checkpoints = [20, 40, 60].map((step) => ({ step, bytes: 1, loss: 1 }));
  const more: RunRecord = { ...run, checkpoints, taken };
  expect(versionsOf(more)).toEqual(['base', 'v1', 'checkpoint-40', 'checkpoint-20', 'v2']);
  expect(usualVersions(more)).toEqual(['v1', 'checkpoint-40']);
  expect(usualVersions(run)).toEqual(['v1', 'v2']);
  const best = { step: 40, evalLoss: 1 };
  expect(versionsOf({ ...run, best })).toEqual(['base', 'v1', 'checkpoint-60', 'v2']);
  expect(versionsOf({ ...run, inputs: { ...run.inputs, source: undefined } })[1]).toBe('checkpoint-40');
});

describe('blind votes', () => {
  const blind = (vote?: StoredTurn['vote']) => turn('?', { v2: 'b', v1: 'a' }, { blind: true, vote });

  it('count over all conversations, without those that saw the names', () => {
    const seen = turn('?', { v1: 'a', v2: 'b' }, { vote: 'v1' });
    const all = [conversation(blind('v2'), blind('same'), blind()), conversation(blind('v1'), seen)];
    const [result, ...others] = blindResults(all, ['base', 'v1', 'v2']);
    expect(others).toEqual([]);
    expect(result).toMatchObject({ versions: ['v1', 'v2'], counts: { a: 1, b: 1, same: 1 }, share: 0.5 });
  });

  it('wait for every answer', () => {
    const answer = { version: 'v1', text: '', state: 'stop id' } as const;
    expect(canVote({ answers: [answer, { ...answer, version: 'v2', state: 'length' }] })).toBe(true);
    expect(canVote({ answers: [answer, { ...answer, version: 'v2', state: 'streaming' }] })).toBe(false);
    expect(canVote({ answers: [answer] })).toBe(false);
  });

  it('are not given away by a copy of the conversation', () => {
    const text = conversationText(conversation(blind(), blind('v1')), (version) => version.toUpperCase());
    expect(text).toBe('**You:** ?\n\n**A:** b\n\n**B:** a\n\n**You:** ?\n\n**V2:** b\n\n**V1:** a\n');
  });
});

describe('sampling fields', () => {
  it('keep stop texts with their line breaks', () => {
    const read = readSampling('stop', 'END\n\\n\\nQ\nback\\\\n');
    expect(read).toEqual({ value: ['END', '\n\nQ', 'back\\n'] });
    const { value } = read as { value: string[] };
    expect(samplingText({ ...sampling, stop: value }, 'stop')).toBe('END\n\\n\\nQ\nback\\\\n');
  });

  it.each([
    ['temperature', '-1', 'Found "-1", expected a number from 0 to 100.'],
    ['topP', '0', 'Found "0", expected a number above 0, at most 1.'],
    ['seed', '4294967296', 'Found "4294967296", expected a whole number from 0 to 4294967295.'],
    ['maxNewTokens', '1.5', 'Found "1.5", expected a whole number of at least 1.'],
    ['maxNewTokens', '', 'Found "", expected a whole number of at least 1.'],
  ] as const)('say what is wrong with %s %s', (key, text, problem) => {
    expect(readSampling(key, text)).toEqual({ problem });
  });
});
