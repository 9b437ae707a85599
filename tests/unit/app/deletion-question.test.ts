import { expect, it } from 'vitest';
import { runDeletionQuestion } from '../../../src/app/runs/deletion-question.ts';
import type { TestRecord } from '../../../src/engine/protocol/comparison.ts';

const notes = { id: 'a', bytes: 3 * 2 ** 20, parts: ['record', 'logs'], tests: [] };
const version = (run: string, state: 'finished' | 'waiting') => ({ run, state });
const tests = [
  { id: 't', name: 'Half done', versions: [version('a', 'waiting'), version('b', 'finished')] },
  { id: 'u', name: 'Done', versions: [version('a', 'finished'), version('b', 'waiting')] },
  { id: 'v', name: 'Other', versions: [version('b', 'waiting')] },
] as unknown as TestRecord[];

it('the question before a run is deleted names what goes, what stays and what cannot go on', () => {
  expect(runDeletionQuestion(notes, [], [])).toBe('Delete this run for good? It frees 3.0 MiB.');
  const parts = ['record', 'checkpoint 3', 'checkpoint 6', 'result', 'logs', 'conversations', 'corrections'];
  expect(runDeletionQuestion({ ...notes, parts, tests: ['u'] }, tests, [])).toBe(
    'Delete this run for good, with its 2 checkpoints, result, conversations, and corrections? It frees 3.0 MiB. 1 test of it stays, with answers and votes.',
  );
  const later = [
    { name: 'V3', status: 'unfinished', sourceRun: 'a' },
    { name: 'V4', status: 'finished', sourceRun: 'a' },
    { name: 'V5', status: 'unfinished', sourceRun: 'b' },
  ] as const;
  expect(runDeletionQuestion({ ...notes, tests: ['t', 'u'] }, tests, later)).toMatch(
    / 2 tests of it stay, with answers and votes\. What is unfinished and needs it cannot be continued then: Half done and V3\.$/,
  );
});
