import { describe, expect, test } from 'vitest';
import { scoreAnswer } from '../../../src/comparison/scores.ts';
import { splitThoughts } from '../../../src/comparison/thoughts.ts';

test.each([
  ['<think>\nwhy\n</think>\n\nso', 'why', 'so'],
  ['  <think></think>so', '', 'so'],
  ['why\n</think>\n\nso', 'why', 'so'],
  ['<think>a</think>b</think>c', 'a', 'b</think>c'],
  ['so', undefined, 'so'],
  ['<think>and on and on', undefined, '<think>and on and on'],
  ['the tag <think> is', undefined, 'the tag <think> is'],
])('%j', (text, thoughts, answer) => {
  expect(splitThoughts(text)).toEqual({ thoughts, answer });
});

describe('scores', () => {
  test('are of the answer alone, on both sides', () => {
    const plain = scoreAnswer('93 degrees', '93 degrees exactly');
    expect(scoreAnswer('<think>\n93 degrees exactly\n</think>\n\n93 degrees', '93 degrees exactly')).toEqual(
      plain,
    );
    expect(scoreAnswer('93', '<think>read it</think>\n93')?.exact).toBe(true);
  });
});
