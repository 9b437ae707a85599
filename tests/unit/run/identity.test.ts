import { expect, test } from 'vitest';
import { differences, type RunIdentity } from '../../../src/run/checkpoint/identity.ts';

const saved: RunIdentity = {
  base: 'b1',
  source: 's1',
  train: 't1',
  validation: 'v1',
  tokens: 'k1',
  recipe: 'r1',
};

test.each<[string, Partial<RunIdentity>, (keyof RunIdentity)[]]>([
  ['nothing', {}, []],
  ['other training rows', { train: 't2', tokens: 'k2' }, ['train']],
  ['no validation rows', { validation: 'none', tokens: 'k2' }, ['validation']],
  ['another max_seq_length', { recipe: 'r2', tokens: 'k2' }, ['recipe']],
  ['rows and recipe', { train: 't2', recipe: 'r2', tokens: 'k2' }, ['train', 'recipe']],
  ['another base and its tokenizer', { base: 'b2', tokens: 'k2' }, ['base', 'tokens']],
  ['the same files encoded otherwise', { tokens: 'k2' }, ['tokens']],
  ['another V1', { source: 'none' }, ['source']],
  ['rows left out', { changes: 'c1', tokens: 'k2' }, ['changes']],
  ['other columns', { columns: 'c1', tokens: 'k2' }, ['columns']],
])('%s: what changed is named, and tokens only where no other change explains them', (_, change, parts) => {
  expect(differences(saved, { ...saved, ...change })).toEqual(parts);
});
