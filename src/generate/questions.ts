import type { ByteSource } from '../formats/byte-source.ts';
import { show } from '../formats/fields.ts';
import { UserError } from '../formats/user-error.ts';
import { showCount } from '../formats/words.ts';
import { readRows, type RawRow } from '../text/read-rows.ts';

/** One entry of a questions file; what it does not say is empty. */
export interface Question {
  question: string;
  answer: string;
  topic: string;
  difficulty: string;
}

/** Characters that a question, or any other text of an entry, may have: far more than a context takes. */
const LONGEST_TEXT = 100_000;

/**
 * Reads a JSON list or JSONL of {question, answer?, topic?, difficulty?}. Entries may have an `id`, which must be
 * their own. Throws UserError naming entry and line.
 */
export async function parseQuestions(source: ByteSource): Promise<Question[]> {
  const questions: Question[] = [];
  const entries = new Map<unknown, number>();
  for await (const row of readRows(source)) {
    const entry = questions.length + 1;
    questions.push(parse(source.name, row, entry));
    const { id = row.row['question_id'] } = row.row;
    if (id === undefined || id === null) continue;
    const earlier = entries.get(id);
    if (earlier !== undefined)
      throw new UserError(
        `${source.name}, entry ${entry} (line ${row.line}): id is ${show(id)}, which entry ${earlier} has already; give every question an id of its own, or none.`,
      );
    entries.set(id, entry);
  }
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
    if (typeof value !== 'string') return refuse(key, 'text');
    if (value.length > LONGEST_TEXT)
      throw new UserError(
        `${file}, entry ${entry} (line ${line}): ${key} has ${showCount(value.length)} characters, expected at most ${showCount(LONGEST_TEXT)}; shorten it.`,
      );
    return value;
  };
  const question = text('question');
  if (question.trim() === '') refuse('question', 'text that is not empty');
  return { question, answer: text('answer'), topic: text('topic'), difficulty: text('difficulty') };
}
