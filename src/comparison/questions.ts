import type { ByteSource } from '../formats/byte-source.ts';
import { NumberText } from '../formats/json.ts';
import { quote } from '../formats/quote.ts';
import { UserError } from '../formats/user-error.ts';
import { showCount } from '../formats/words.ts';
import { questionColumns } from '../text/columns.ts';
import { type JsonObject, type RawRow, readRows } from '../text/read-rows.ts';

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
 * Reads {question, answer?, topic?, difficulty?} from a JSON list, JSONL, a table or a results file; where no key is
 * "question", the one whose name says the same is taken, and so is that of the answer. Numbers and booleans, except for the
 * question, stand for their text. Entries may have an `id`, which must be unique. Throws UserError naming entry and
 * line.
 */
export async function parseQuestions(source: ByteSource): Promise<Question[]> {
  const questions: Question[] = [];
  const entries = new Map<string, number>();
  let naming: ((row: JsonObject) => JsonObject) | undefined;
  for await (const raw of readRows(source, { keepNumberText: true })) {
    naming ??= namingOf(Object.keys(raw.row));
    const row = { ...raw, row: naming(raw.row) };
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

/** Puts question and answer under these keys, by the names of the first entry's. */
function namingOf(names: readonly string[]): (row: JsonObject) => JsonObject {
  const renamed = Object.entries(questionColumns(names));
  return (row) => {
    const named = Object.assign(Object.create(null) as JsonObject, row);
    for (const [key, from] of renamed) {
      if (from !== undefined && !names.includes(key)) {
        named[key] = row[from];
      }
    }
    return named;
  };
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
