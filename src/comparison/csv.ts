import { csvCell } from '../formats/csv-cell.ts';
import type { TestAnswer } from './batch-test.ts';
import type { Question } from './questions.ts';
import { scoreIfAnswered } from './scores.ts';

/** One version's columns; `answers` are in question order, undefined for those not answered. */
export interface CsvVersion {
  name: string;
  answers: readonly (
    (Pick<TestAnswer, 'text' | 'inputTokens' | 'outputTokens'> & Partial<TestAnswer>) | undefined
  )[];
}

/**
 * Versions side by side, one line per question: RFC 4180 with a byte-order mark, without which spreadsheets misread
 * UTF-8. `votes`: by question, the version that the user found best. `trained`: by question, the versions that were trained
 * on it; without it there is no such column.
 */
export function comparisonCsv(
  questions: readonly Question[],
  versions: readonly CsvVersion[],
  votes: readonly (string | undefined)[] = [],
  trained?: readonly (readonly string[])[],
): string {
  const columns = [
    'answer',
    'exact match',
    'token F1',
    'ROUGE-L',
    'input tokens',
    'output tokens',
    'ended by',
  ];
  const head = [
    ...['question_id', 'topic', 'difficulty', 'question', 'expected_answer'],
    ...versions.flatMap(({ name }) => columns.map((column) => `${name}: ${column}`)),
    'vote',
    ...(trained ? ['trained on'] : []),
  ];
  const lines = questions.map(({ topic, difficulty, question, answer: expected }, i) => [
    i + 1,
    topic,
    difficulty,
    question,
    expected,
    ...versions.flatMap(({ answers }) => cells(answers[i], expected)),
    votes[i],
    ...(trained ? [trained[i]?.join('; ')] : []),
  ]);
  return `\ufeff${[head, ...lines].map((line) => `${line.map(csvCell).join(',')}\r\n`).join('')}`;
}

type Value = string | number | undefined;

function cells(answer: CsvVersion['answers'][number], expected: string): Value[] {
  if (!answer) {
    return new Array<Value>(7).fill(undefined);
  }
  const { text, inputTokens, outputTokens, stopped } = answer;
  const scores = scoreIfAnswered(answer, expected);
  return [
    text,
    scores && Number(scores.exact),
    scores?.tokenF1,
    scores?.rougeL,
    inputTokens,
    outputTokens,
    stopped,
  ];
}
