import { NumberText } from '../../../src/formats/json.ts';
import { loadTokenizer } from '../../../src/text/load-tokenizer.ts';
import { readOrderedRows } from '../../../src/text/read-rows.ts';
import { type EncodedRows, encodeRows } from '../../../src/text/rows.ts';
import type { TextTokenizer } from '../../../src/text/tokenizer.ts';
import { memoryFolder, source } from '../../support/memory-folder.ts';
import type { Random } from '../../support/random.ts';
import { CASES, fixture, fixtures } from '../fixtures.ts';
import { bytesOf, expectSame, expectTrue, type Format, INPUT, textOf } from '../format.ts';
import { mutateBytes } from '../mutate/bytes.ts';
import { mutateJson } from '../mutate/json.ts';

const WORDS = [
  ...[
    '"system"',
    '"user"',
    '"assistant"',
    '"tool"',
    '"human"',
    '"gpt"',
    '[["a","b"]]',
    '"<|im_end|>"',
    '"<|im_start|>system"',
  ],
  ...[
    '{"role":"user","content":"x"}',
    '{"role":"assistant","content":"y"}',
    '{"from":"gpt","value":"z"}',
    '"\\ue000\\ue001"',
  ],
  ...[
    '{"text":"x"}',
    '[{"type":"function"}]',
    JSON.stringify(' '.repeat(3000)),
    JSON.stringify('é'.repeat(3000)),
  ],
];

/** Rows as a file of lines, or as one list. */
export const linesOf = (rows: readonly string[]): Uint8Array => bytesOf(`${rows.join('\n')}\n`);
export const listOf = (rows: readonly string[]): Uint8Array => bytesOf(`[\n${rows.join(',\n')}\n]\n`);

/** The rows of a file of lines. */
export const rowsOf = (bytes: Uint8Array): string[] => textOf(bytes).trimEnd().split('\n');

/** One row changed, dropped, doubled or moved, or bytes of the whole file; lines or a list. */
export function mutateRows(random: Random, rows: readonly string[], words: readonly string[]): Uint8Array {
  const file = random.uniform() < 0.5 ? linesOf : listOf;
  if (random.uniform() < 0.3) {
    return mutateBytes(
      random,
      file(rows),
      [linesOf(rows), listOf(rows)],
      ['\n', '[', ']', '{', '}', ',', ...words],
    );
  }
  const changed = [...rows];
  const at = random.integer(0, rows.length - 1);
  changed[at] = textOf(mutateJson(random, bytesOf(rows[at]!), words));
  if (random.uniform() < 0.2) {
    changed.splice(
      random.integer(0, rows.length),
      0,
      random.pick(['', ' ', 'null', '[]', '1', '{}', '\ufeff', rows[at]!]),
    );
  }
  return file(changed);
}

const FILE = 'train.jsonl';
/** Rows of a seed. */
const ROWS = 3;

/** A training file, with the tokenizer of its case. */
export const rows: Format = {
  name: 'rows',
  cut: [FILE],
  seeds: () =>
    CASES.flatMap((name) => {
      const some = rowsOf(fixture(`cases/${name}/train.jsonl`)).slice(0, ROWS);
      return [linesOf(some), listOf(some)].map((bytes) => ({ [FILE]: bytes, case: bytesOf(name) }));
    }),
  mutate: (random, files) => ({
    ...files,
    [FILE]: mutateRows(
      random,
      rowsOf(fixture(`cases/${textOf(files['case']!)}/train.jsonl`)).slice(0, ROWS),
      WORDS,
    ),
  }),
  async read(files) {
    const tokenizer = await tokenizerOf(textOf(files['case']!));
    const encode = (bytes: Uint8Array) =>
      encodeRows(source(`${INPUT}/${FILE}`, bytes), tokenizer, { maxLength: 64 });
    const encoded = await encode(files[FILE]!);
    for (const { ids, trained } of encoded.rows) {
      expectTrue(
        ids.length > 1 && ids.length <= 64 && ids.length === trained.length,
        `a row has ${ids.length} tokens`,
      );
      expectTrue(
        ids.every((id) => id < tokenizer.vocabSize),
        `ids are ${ids.join(' ')}`,
      );
    }
    const texts: string[] = [];
    for await (const { row } of readOrderedRows(source(FILE, files[FILE]!))) {
      texts.push(print(row));
    }
    const known = (read: EncodedRows) => ({
      ...read,
      rows: read.rows.map((row) => ({ ...row, line: 0, place: 0 })),
      skipped: read.skipped.length,
    });
    expectSame(known(await encode(linesOf(texts))), known(encoded), 'written as lines and read again');
    expectSame(known(await encode(listOf(texts))), known(encoded), 'written as a list and read again');
  },
};

/** A row as JSON, keys in their order and numbers as they were spelled. */
export function print(value: unknown): string {
  if (value instanceof NumberText) {
    return value.text;
  }
  if (Array.isArray(value)) {
    return `[${value.map(print).join(',')}]`;
  }
  if (!(value instanceof Map)) {
    return JSON.stringify(value);
  }
  return `{${[...value].map(([key, item]) => `${JSON.stringify(key)}:${print(item)}`).join(',')}}`;
}

const tokenizers = new Map<string, Promise<TextTokenizer>>();

function tokenizerOf(name: string): Promise<TextTokenizer> {
  const known =
    tokenizers.get(name) ?? loadTokenizer(memoryFolder(name, { ...fixtures(`cases/${name}/base`) }));
  tokenizers.set(name, known);
  return known;
}
