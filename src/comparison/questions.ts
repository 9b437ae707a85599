import type { ByteSource } from '../formats/byte-source.ts';
import { NumberText } from '../formats/json.ts';
import { quote } from '../formats/quote.ts';
import { UserError } from '../formats/user-error.ts';
import { showCount } from '../formats/words.ts';
import { type RawRow, readRows } from '../text/read-rows.ts';

/** One entry of a questions file; absent keys are empty. */
export interface Question {
  question: string;
  answer: string;
  topic: string;
  difficulty: string;
}

/** Maximum characters of any text of an entry: far more than a context holds. */
const LONGEST_TEXT = 100_000;

/**
 * Reads a JSON list or JSONL of {question, answer?, topic?, difficulty?}. Numbers and booleans, except for the
 * question, stand for their text. Entries may have an `id`, which must be unique. Throws UserError naming entry and
 * line.
 */
export async function parseQuestions(source: ByteSource): Promise<Question[]> {
  const questions: Question[] = [];
  const entries = new Map<string, number>();
  for await (const row of readRows(source, { keepNumberText: true })) {
    const entry = questions.length + 1;
    questions.push(parse(source.name, row, entry));
    const { id = row.row['question_id'] } = row.row;
    if (id === undefined || id === null) {
      continue;
    }
    const key = id instanceof NumberText ? id.text : JSON.stringify(id);
    const earlier = entries.get(key);
    if (earlier !== undefined) {
      throw new UserError(
        `${source.name}, entry ${entry} (line ${row.line}): id is ${quote(id)}, which entry ${earlier} has already; give every question an id of its own, or none.`,
      );
    }
    entries.set(key, entry);
  }
  if (questions.length === 0) {
    throw new UserError(
      `${source.name}: there are no questions in it; write a JSON list of objects such as {"question": "…"}.`,
    );
  }
  return questions;
}

function parse(file: string, { row, line }: RawRow, entry: number): Question {
  const refuse = (key: string, expected: string): never => {
    const found = row[key] === undefined ? 'missing' : quote(row[key]);
    throw new UserError(
      `${file}, entry ${entry} (line ${line}): ${key} is ${found}, expected ${expected}; correct it.`,
    );
  };
  const text = (key: string, value: unknown = row[key] ?? ''): string => {
    if (typeof value !== 'string') {
      return refuse(key, 'text');
    }
    if (value.length > LONGEST_TEXT) {
      throw new UserError(
        `${file}, entry ${entry} (line ${line}): ${key} has ${showCount(value.length)} characters, expected at most ${showCount(LONGEST_TEXT)}; shorten it.`,
      );
    }
    return value;
  };
  const question = text('question');
  if (question.trim() === '') {
    refuse('question', 'text that is not empty');
  }
  const spelt = (key: string): string => text(key, spelling(row[key] ?? ''));
  return { question, answer: spelt('answer'), topic: spelt('topic'), difficulty: spelt('difficulty') };
}

/** A number or boolean as the file spells it. */
function spelling(value: unknown): unknown {
  if (value instanceof NumberText) {
    return value.text;
  }
  return typeof value === 'boolean' ? String(value) : value;
}
