import { describe, expect, it } from 'vitest';
import { parseQuestions } from '../../../src/comparison/questions.ts';
import { source } from '../../support/memory-folder.ts';

const parse = (text: string) => parseQuestions(source('questions.json', text));

describe('parseQuestions', () => {
  const entries = [
    { question: 'Où?\n', answer: 'Là.', topic: 't', difficulty: 'easy' },
    { question: 'Why?', answer: null, other: 3 },
  ];
  const parsed = [entries[0], { question: 'Why?', answer: '', topic: '', difficulty: '' }];

  it('reads a JSON list', async () => {
    expect(await parse(JSON.stringify(entries, null, 2))).toEqual(parsed);
  });

  it('reads JSONL', async () => {
    expect(await parse(entries.map((entry) => `${JSON.stringify(entry)}\n`).join('\n'))).toEqual(parsed);
  });

  it('takes numbers and booleans for their text, as the file spells them', async () => {
    const text =
      '[{"question": "a", "answer": 3.50, "topic": true, "difficulty": 3},\n' +
      ' {"question": "b", "answer": 12345678901234567890, "topic": -1e3, "difficulty": false}]';
    expect(await parse(text)).toEqual([
      { question: 'a', answer: '3.50', topic: 'true', difficulty: '3' },
      { question: 'b', answer: '12345678901234567890', topic: '-1e3', difficulty: 'false' },
    ]);
  });

  it('tells an id that is a number from one that is a text', async () => {
    expect(await parse('{"id": 1, "question": "a"}\n{"id": "1", "question": "b"}')).toHaveLength(2);
  });

  it.each([
    ['[]', 'questions.json: there are no questions in it; write a JSON list of objects such as'],
    ['', 'questions.json: there are no questions in it; write a JSON list of objects such as'],
    [
      '[{"question": "a"},\n {"answer": "b"}]',
      'questions.json, entry 2 (line 2): question is missing, expected text that is not empty; correct it.',
    ],
    [
      '{"question": " "}',
      'questions.json, entry 1 (line 1): question is " ", expected text that is not empty; correct it.',
    ],
    ['{"question": 7}', 'questions.json, entry 1 (line 1): question is 7, expected text; correct it.'],
    [
      '{"question": "a"}\n\n{"question": "b", "topic": ["x"]}',
      'questions.json, entry 2 (line 3): topic is ["x"], expected text; correct it.',
    ],
    [
      '{"question": "a", "answer": {"value": 3.50}}',
      'questions.json, entry 1 (line 1): answer is {"value":3.50}, expected text; correct it.',
    ],
    ['["a"]', 'questions.json, line 1: found "a", expected a JSON object'],
    [
      '[{"id": 1, "question": "a"},\n{"id": 2, "question": "b"},\n{"id": 1, "question": "c"}]',
      'questions.json, entry 3 (line 3): id is 1, which entry 1 has already; give every question an id of its own, or none.',
    ],
    [
      '{"question_id": "q", "question": "a"}\n{"question_id": "q", "question": "a"}',
      'questions.json, entry 2 (line 2): id is "q", which entry 1 has already',
    ],
  ])('refuses %j', async (text, sentence) => {
    await expect(parse(text)).rejects.toThrow(sentence);
  });

  it('refuses a text that no model could take', async () => {
    const row = { question: 'a'.repeat(10 * 2 ** 20) };
    await expect(parse(JSON.stringify([{ question: 'b' }, row]))).rejects.toThrow(
      'questions.json, entry 2 (line 1): question has 10,485,760 characters, expected at most 100,000; shorten it.',
    );
  });
});
