import type { ByteSource } from '../formats/byte-source.ts';
import { show } from '../formats/fields.ts';
import { UserError } from '../formats/user-error.ts';
import { readRows, type RawRow } from '../text/read-rows.ts';

/** One entry of a questions file; what it does not say is empty. */
export interface Question {
  question: string;
  answer: string;
  topic: string;
  difficulty: string;
}

/** Reads a JSON list or JSONL of {question, answer?, topic?, difficulty?}. Throws UserError naming entry and line. */
export async function parseQuestions(source: ByteSource): Promise<Question[]> {
  const questions: Question[] = [];
  for await (const row of readRows(source)) questions.push(parse(source.name, row, questions.length + 1));
  if (questions.length === 0)
    throw new UserError(
      `${source.name}: there are no questions in it; write a JSON list of objects such as {"question": "…"}.`,
    );
  return questions;
}

function parse(file: string, { row, line }: RawRow, entry: number): Question {
  const refuse = (key: string, expected: string): never => {
    const found = row[key] === undefined ? 'missing' : show(row[key]);
    throw new UserError(
      `${file}, entry ${entry} (line ${line}): ${key} is ${found}, expected ${expected}; correct it.`,
    );
  };
  const text = (key: string): string => {
    const value = row[key] ?? '';
    return typeof value === 'string' ? value : refuse(key, 'text');
  };
  const question = text('question');
  if (question.trim() === '') refuse('question', 'text that is not empty');
  return { question, answer: text('answer'), topic: text('topic'), difficulty: text('difficulty') };
}
