// References: TRL, docs/source/dataset_formats.md; LLaMA-Factory, data/README.md; axolotl, docs/dataset-formats (names
// that people give to columns).
import type { ByteSource } from '../formats/byte-source.ts';
import { quote, quoteAll } from '../formats/quote.ts';
import type { RowChanges } from '../formats/row-changes.ts';
import { UserError } from '../formats/user-error.ts';

/** Keys of a row that a column can stand for. */
export const COLUMN_KEYS = [
  'instruction',
  'input',
  'output',
  'prompt',
  'completion',
  'messages',
  'text',
  'system',
  'tools',
] as const;
export type ColumnKey = (typeof COLUMN_KEYS)[number];

/** The column, or key, of a file that is read as each key of a row; those that are not named have no effect. */
export type Columns = Readonly<Partial<Record<ColumnKey, string>>>;

/** A file of rows, with its columns where the user has said which is which, and with changes over it. */
export interface RowsSource extends ByteSource {
  readonly columns?: Columns | undefined;
  readonly changes?: RowChanges | undefined;
}

/** What a row can be made of: the keys that it needs, and those that it may have. */
export const ROW_SHAPES = [
  { needs: ['messages'], may: ['system', 'tools'] },
  { needs: ['instruction', 'output'], may: ['input', 'system', 'tools'] },
  { needs: ['prompt', 'completion'], may: [] },
  { needs: ['text'], may: [] },
] as const satisfies readonly { needs: readonly ColumnKey[]; may: readonly ColumnKey[] }[];

/** Names that people give to columns, without case, spaces and punctuation; of several, the first in a list counts. */
const NAMES = {
  messages: ['messages', 'conversations', 'conversation', 'chat', 'dialog', 'dialogue'],
  instruction: [
    'instruction',
    'question',
    'prompt',
    'query',
    'problem',
    'request',
    'user',
    'human',
    'input',
    'q',
  ],
  output: [
    ...['output', 'answer', 'response', 'completion', 'expectedanswer', 'reply', 'assistant', 'target'],
    ...['solution', 'gpt', 'a'],
  ],
  input: ['input', 'context'],
  text: ['text', 'content'],
  system: ['system', 'systemprompt', 'systemmessage'],
  tools: ['tools'],
} as const satisfies Partial<Record<ColumnKey, readonly string[]>>;

const plain = (name: string): string => name.toLowerCase().replace(/[\s_.-]+/g, '');

const OWN_KEYS: ReadonlySet<string> = new Set(Object.values(NAMES).flat());

/** Whether people give this name to a column, so that it is one where it stands alone. */
export const isColumnName = (name: string): boolean => OWN_KEYS.has(plain(name));

/** The column of the questions, and of their answers, by their names. */
export function questionColumns(names: readonly string[]): { question?: string; answer?: string } {
  const question = findName(names, 'instruction');
  const answer = findName(names, 'output', [question]);
  return { ...(question !== undefined && { question }), ...(answer !== undefined && { answer }) };
}

function findName(
  names: readonly string[],
  key: keyof typeof NAMES,
  taken: readonly (string | undefined)[] = [],
): string | undefined {
  for (const known of NAMES[key]) {
    const name = names.find((one) => plain(one) === known && !taken.includes(one));
    if (name !== undefined) {
      return name;
    }
  }
  return undefined;
}

/** Which columns to read as what, guessed by their names; undefined if none fits. */
export function guessColumns(names: readonly string[]): Columns | undefined {
  const find = (key: keyof typeof NAMES, taken: readonly string[] = []) => findName(names, key, taken);
  const named = (key: string) => names.find((name) => plain(name) === key);
  const given = (columns: Partial<Record<ColumnKey, string | undefined>>): Columns =>
    Object.fromEntries(Object.entries(columns).filter(([, name]) => name !== undefined));
  const messages = find('messages');
  const [system, tools] = [find('system'), find('tools')];
  if (messages !== undefined) {
    return given({ messages, system, tools });
  }
  const [prompt, completion] = [named('prompt'), named('completion')];
  if (prompt !== undefined && completion !== undefined) {
    return { prompt, completion };
  }
  const [instruction, output] = [find('instruction'), find('output')];
  if (instruction !== undefined && output !== undefined) {
    return given({ instruction, input: find('input', [instruction]), output, system, tools });
  }
  const text = find('text');
  return text === undefined ? undefined : { text };
}

/** Why the columns make no row, and what to do; undefined if they make one. */
export function columnsProblem(columns: Columns): string | undefined {
  const keys = Object.keys(columns) as ColumnKey[];
  const shape = ROW_SHAPES.find(({ needs }) => needs.every((key) => columns[key] !== undefined));
  if (!shape) {
    const found = keys.join(', ') || 'none';
    return `columns for ${found}, expected messages, instruction and output, prompt and completion, or text; name the others`;
  }
  const useless = keys.find((key) => ![...shape.needs, ...shape.may].some((known) => known === key));
  return useless === undefined
    ? undefined
    : `a column for ${useless}, which has no meaning beside ${shape.needs.join(' and ')}; leave it out`;
}

/** Throws UserError for a column that the file does not have. */
export function checkHas(columns: Columns, names: readonly string[], file: string): void {
  const missing = Object.values(columns).find((name) => !names.includes(name));
  if (missing !== undefined) {
    throw new UserError(
      `${file}: there is no column ${quote(missing)}, expected one of ${quoteAll(names)}; choose among those.`,
    );
  }
}

/** One key and its column: instruction=Question, or in quotation marks, "Question, long". */
const PAIR = /\s*([^=,"\s]+)\s*=\s*(?:"((?:[^"]|"")*)"|([^,]*?))\s*(?:,|$)/y;

/** Columns as written on a command line: `instruction=Question, output=Answer`. Or why they are none. */
export function parseColumns(text: string): Columns | string {
  const columns: Partial<Record<ColumnKey, string>> = {};
  for (PAIR.lastIndex = 0; PAIR.lastIndex < text.length;) {
    const match = PAIR.exec(text);
    const [, key, quotedName, bare] = match ?? [];
    const column = quotedName?.replaceAll('""', '"') ?? bare;
    if (!match || !column) {
      return `${quote(text)}, expected keys and columns, such as "instruction=Question,output=Answer"`;
    }
    const known = COLUMN_KEYS.find((one) => one === key);
    if (!known || columns[known] !== undefined) {
      return `${quote(key)} ${known ? 'twice' : 'as a key'}, expected ${COLUMN_KEYS.join(', ')}, each once`;
    }
    columns[known] = column;
  }
  return columnsProblem(columns) ?? columns;
}

/** The columns for a reader, in the order of the keys: instruction "Question", output "Answer". */
export const showColumns = (columns: Columns): string =>
  COLUMN_KEYS.flatMap((key) => (columns[key] === undefined ? [] : [`${key} ${quote(columns[key])}`])).join(
    ', ',
  );

/** The columns as one text that is the same for the same columns. */
export const columnsText = (columns: Columns): string =>
  JSON.stringify(COLUMN_KEYS.flatMap((key) => (columns[key] === undefined ? [] : [[key, columns[key]]])));
