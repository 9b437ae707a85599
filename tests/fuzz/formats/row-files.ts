import { gunzipSync, gzipSync } from 'fflate';
import { readOrderedRows } from '../../../src/text/read-rows.ts';
import { RowColumns } from '../../../src/text/row-columns.ts';
import { encodeRows } from '../../../src/text/rows.ts';
import type { TextTokenizer } from '../../../src/text/tokenizer.ts';
import { source } from '../../support/memory-folder.ts';
import { tinyTokenizer } from '../../support/tiny-tokenizer.ts';
import { fixture } from '../fixtures.ts';
import { expectSame, type Files, type Format, INPUT } from '../format.ts';
import { mutateBytes } from '../mutate/bytes.ts';
import { linesOf, print } from './rows.ts';

const FILE = 'rows';
const NAMES = [
  ...['pairs.csv', 'pairs.tsv', 'pairs-excel.csv', 'pairs-utf16.txt', 'pairs-utf16.jsonl', 'chats.csv'],
  ...['results.json', 'pairs.jsonl.gz', 'pairs.csv.gz'],
];
const WORDS = ['"', '""', ',', ';', '\t', '\r', '\r\n', '"\n', 'sep=;\n', '\ufeff', '\u0000', ',"', '",'];

let tokenizer: Promise<TextTokenizer> | undefined;
const tiny = () =>
  (tokenizer ??= tinyTokenizer({
    special: ['<|im_end|>'],
    template: "{% for m in messages %}{{ m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}",
  }));

const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f;

/** Reads a file of rows, and reads it again as JSONL. */
async function readTwice(files: Files): Promise<void> {
  const file = source(`${INPUT}/${FILE}`, files[FILE]!);
  const encode = async (read: typeof file) => {
    const { rows, skipped } = await encodeRows(read, await tiny(), { maxLength: 64 });
    return { rows: rows.map(({ ids, trained }) => [ids, trained]), skipped: skipped.length };
  };
  const encoded = await encode(file);
  const columns = new RowColumns(FILE, undefined);
  const lines: string[] = [];
  for await (const raw of readOrderedRows(file)) {
    columns.decide(raw);
    lines.push(print(columns.read(raw).row));
  }
  expectSame(await encode(source(FILE, linesOf(lines))), encoded, 'written as JSONL and read again');
}

/** A file of rows other than JSONL: tables, UTF-16, results of a test, and what gzip packs. */
export const rowFiles: Format = {
  name: 'row-files',
  seeds: () => NAMES.map((name) => ({ [FILE]: fixture(`text/row-files/${name}`) })),
  mutate(random, files, seeds) {
    const bytes = files[FILE]!;
    const others = seeds.map((seed) => seed[FILE]!);
    if (isGzip(bytes) && random.uniform() < 0.7) {
      return { [FILE]: gzipSync(mutateBytes(random, gunzipSync(bytes), others, WORDS), { mtime: 0 }) };
    }
    return { [FILE]: mutateBytes(random, bytes, others, WORDS) };
  },
  read: readTwice,
};

const PARQUET = [
  ...[
    'pairs.parquet',
    'pairs-plain.parquet',
    'pairs-v2.parquet',
    'pairs-delta.parquet',
    'pairs-gzip.parquet',
  ],
  ...['chats.parquet', 'repeated-zstd.parquet', 'repeated-lz4.parquet'],
];

/** Rows as Parquet, whose bytes are changed. */
export const parquet: Format = {
  name: 'parquet',
  seeds: () => PARQUET.map((name) => ({ [FILE]: fixture(`text/row-files/${name}`) })),
  mutate: (random, files, seeds) => ({
    [FILE]: mutateBytes(
      random,
      files[FILE]!,
      seeds.map((seed) => seed[FILE]!),
      ['PAR1', '\u0000\u0000\u0000\u0000', '\u007f\u007f\u007f', '\u0015'],
    ),
  }),
  read: readTwice,
};
