import { expect, test } from 'vitest';
import type { Columns } from '../../../src/text/columns.ts';
import { type EncodedRow, encodeRows } from '../../../src/text/rows.ts';
import { fixtureBytes, source } from '../../support/memory-folder.ts';
import { tinyTokenizer } from '../../support/tiny-tokenizer.ts';

// tests/reference/make_row_files.py
const tiny = await tinyTokenizer({
  special: ['<|im_end|>', '<|im_start|>'],
  config: { eos_token: '<|im_end|>' },
  template:
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}" +
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
});

const encode = (bytes: Uint8Array | string, columns?: Columns, name = 'data') =>
  encodeRows({ ...source(name, bytes), columns }, tiny, { maxLength: 4096 });
const encodeFile = (name: string) => encode(fixtureBytes(`text/row-files/${name}`), undefined, name);
const tokensOf = (rows: readonly EncodedRow[]) => rows.map(({ ids, trained }) => [[...ids], [...trained]]);

test.each([
  ...['pairs.jsonl.gz', 'pairs.json', 'pairs-utf16.jsonl', 'questions.json', 'results.json'],
  ...['pairs.csv', 'pairs.csv.gz', 'pairs-index.csv', 'pairs.tsv', 'pairs-excel.csv', 'pairs-utf16.txt'],
])('%s has the ids of the same rows as JSONL', async (name) => {
  const expected = await encodeFile('pairs.jsonl');
  expect(expected.rows).toHaveLength(8);
  expect(tokensOf((await encodeFile(name)).rows)).toEqual(tokensOf(expected.rows));
});

test.each([
  ...[
    'pairs.parquet',
    'pairs-plain.parquet',
    'pairs-v2.parquet',
    'pairs-delta.parquet',
    'pairs-gzip.parquet',
  ],
  ...['pairs-polars.parquet', 'chats.parquet', 'many.parquet'],
  ...['repeated-zstd.parquet', 'repeated-zstd-v2.parquet', 'repeated-lz4.parquet'],
])('%s has the ids of the same rows as JSONL', async (name) => {
  const expected = await encodeFile(`${/^[a-z]+/.exec(name)![0]}.jsonl`);
  const { rows, notes } = await encodeFile(name);
  expect(tokensOf(rows)).toEqual(tokensOf(expected.rows));
  expect(rows.map(({ line }) => line)).toEqual(expected.rows.map(({ line }) => line));
  expect(notes.map((note) => note.replace(/^\S+/, ''))).toEqual(
    expected.notes.map((note) => note.replace(/^\S+/, '')),
  );
});

test('turns in a CSV stand there as JSON', async () => {
  const expected = await encodeFile('chats.jsonl');
  expect(tokensOf((await encodeFile('chats.csv')).rows)).toEqual(tokensOf(expected.rows));
});

test('the guess is told, and can be changed', async () => {
  const guessed = await encodeFile('pairs.csv');
  expect(guessed.columns).toEqual({ instruction: 'Question', output: 'Answer' });
  expect(guessed.names).toEqual(['Question', 'Answer']);
  expect(guessed.notes).toEqual([
    'pairs.csv: columns read as instruction "Question", output "Answer", guessed by their names; if that is wrong, say which is which.',
  ]);
  const chosen = await encode('Question;Answer;Other\nq;;o\n', { prompt: 'Question', completion: 'Other' });
  expect(chosen.format).toBe('completion');
  expect(chosen.notes).toEqual(['data: columns read as prompt "Question", completion "Other".']);
  expect(tiny.decode(chosen.rows[0]!.ids)).toBe('qo<|im_end|>');
});

test('what is named has effect, and the rest is listed', async () => {
  const text = 'text,Question,Answer,system,weight,id\nt,q,a,s,1,7\nt,q,b,,0,8\n';
  const { format, rows, skipped, notes } = await encode(text, { instruction: 'Question', output: 'Answer' });
  expect([format, rows.length, skipped]).toEqual([
    'instruction',
    1,
    [{ line: 3, place: 3, why: 'its weight is 0' }],
  ]);
  expect(notes.join()).toContain('keys without effect: text (2 rows), system (1 row), id (2 rows).');
});

test('a results file gives the expected answers, not the model’s', async () => {
  const { columns } = await encodeFile('results.json');
  expect(columns).toEqual({ instruction: 'question', output: 'expected_answer' });
});

test('lines are those of the file where cells span several', async () => {
  const { rows } = await encode('prompt,completion\r\n"a\r\nb","c"\r\n\r\n,\r\nd,"e\n"\r\nf,g');
  expect(rows.map(({ line, ids }) => [line, tiny.decode(ids)])).toEqual([
    [2, 'a\r\nbc<|im_end|>'],
    [6, 'de\n<|im_end|>'],
    [8, 'fg<|im_end|>'],
  ]);
});

test.each([1, 2, 3, 5, 7])('cells come out whole, read %i bytes at a time', async (size) => {
  const bytes = fixtureBytes('text/row-files/pairs-excel.csv');
  const { tableRows } = await import('../../../src/text/csv.ts');
  async function* chunks() {
    for (let begin = 3; begin < bytes.length; begin += size) {
      yield { bytes: bytes.slice(begin, begin + size), begin, end: begin + size };
    }
  }
  const cells: (string | null)[] = [];
  for await (const row of tableRows(
    { name: 'x', chunks: chunks(), line: 1 },
    { delimiter: ';', told: false },
  )) {
    cells.push(...row.cells.values());
  }
  const lines = new TextDecoder().decode(fixtureBytes('text/row-files/pairs.jsonl')).trimEnd().split('\n');
  expect(cells).toEqual(lines.flatMap((line) => Object.values(JSON.parse(line) as Record<string, string>)));
});

test.each<[string, string]>([
  ['a quote within an unquoted cell', 'prompt,completion\n5" disk,3" disk\n'],
  ['a last line without end, and short rows', 'prompt,completion,id\n5" disk,3" disk'],
  ['sep=', 'sep=|\nprompt|completion\n5" disk|3" disk\n'],
  ['separators at the end', 'prompt,completion,,\n5" disk,3" disk,,\n'],
  ['lines of an old Mac', 'prompt,completion\r5" disk,3" disk\r'],
  ['spaces about names', ' Prompt , Completion\n5" disk,3" disk\n'],
])('%s: fine', async (_, text) => {
  const { rows } = await encode(text);
  expect(rows.map(({ ids }) => tiny.decode(ids))).toEqual(['5" disk3" disk<|im_end|>']);
});

const latin1 = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));

test.each<[string, string | Uint8Array, string]>([
  [
    'an empty cell',
    'question,answer\nq,a\nq,\n',
    'data, line 3: the column "answer" is empty, expected a text; fill it in, or remove the row.',
  ],
  [
    'unknown columns',
    'a;b\n1;2\n',
    'data: the columns are "a", "b", expected question and answer, instruction and output, prompt and completion, messages, or text in the first line; rename them, or say which is which.',
  ],
  [
    'too many cells',
    'question,answer\nq,a,b\n',
    'data, line 2: found 3 cells, expected 2 as in the header; put a cell that holds "," into quotation marks.',
  ],
  [
    'an open quotation mark',
    'question,answer\nq,a\n"q,a\nq,a\n',
    'data, line 3: a cell opens a quotation mark that nothing closes; close it, and write a quotation mark within a cell twice.',
  ],
  [
    'text after a closing quotation mark',
    'question,answer\nq,"a "b" c"\n',
    'data, line 2: column 2 has text after its closing quotation mark; write a quotation mark within a cell twice.',
  ],
  [
    'the same name twice',
    'question,answer,answer\nq,a,b\n',
    'data, line 1: the header names the column "answer" twice; rename one of them.',
  ],
  [
    'Windows-1252',
    latin1('question,answer\nq,a\nGrö\u00dfe,x\n'),
    'data, line 3: not valid UTF-8; save the file as UTF-8 (in Excel: Save As, "CSV UTF-8").',
  ],
  ['a header alone', 'question,answer\n', 'data: there are no rows in it; write one JSON object per line.'],
  [
    'a list as Python prints it',
    `id,messages\n1,"[{'role': 'user', 'content': 'q'}]"\n`,
    'data, line 2: the column "messages" holds a list as Python prints it, expected JSON; save the table as Parquet, or as JSONL (in pandas, df.to_json(file, orient="records", lines=True)).',
  ],
  [
    'liked and disliked answers',
    'Question,Answer,Label\nq,a,True\n',
    'data, line 2: the key label belongs to training on liked and disliked answers (KTO), which Retune does not do; remove the row, or the key where it means nothing.',
  ],
  [
    'half a character of UTF-16',
    latin1('\u00ff\u00feq\u0000,\u0000\u0000\u00d8,\u0000'),
    'data: not valid UTF-16, as its first bytes say that it is; save the file as UTF-8.',
  ],
])('%s: refused by one sentence', async (_, text, message) => {
  await expect(encode(text)).rejects.toMatchObject({ name: 'UserError', message });
});

test.each([
  [
    'repeated-brotli.parquet',
    'its columns are packed with BROTLI, expected Snappy, gzip, Zstandard, LZ4 or none; write it with compression="snappy" (pandas, pyarrow, polars).',
  ],
  [
    'bomb.parquet',
    'unpacks to more than 32.0 MiB, over 200 times its size, as no dataset does; if it is one, unpack it yourself and choose that file.',
  ],
])('%s: refused by one sentence', async (name, problem) => {
  await expect(encodeFile(name)).rejects.toThrow(`${name}: ${problem}`);
});

test('a Parquet file names the row', async () => {
  const columns = { messages: 'system' };
  const file = { ...source('many.parquet', fixtureBytes('text/row-files/many.parquet')), columns };
  await expect(encodeRows(file, tiny, { maxLength: 99 })).rejects.toThrow(
    'many.parquet, row 1: the column "system" is a text that should hold JSON, which it does not at its column 1: ',
  );
});

test('columns that the file lacks', async () => {
  await expect(encode('a,b\n1,2\n', { prompt: 'a', completion: 'c' })).rejects.toThrow(
    'data: there is no column "c", expected one of "a", "b"; choose among those.',
  );
  await expect(
    encode('{"a": "x", "b": "y"}\n{"a": "x"}\n', { prompt: 'a', completion: 'b' }),
  ).rejects.toThrow('data, line 2: the key "b" is missing; add it.');
});

test('a gzip file that is cut off or changed', async () => {
  const whole = fixtureBytes('text/row-files/pairs.jsonl.gz');
  const changed = Uint8Array.from(whole, (byte, i) => (i === whole.length - 6 ? byte ^ 1 : byte));
  for (const bytes of [whole.subarray(0, 100), whole.subarray(0, -4), changed]) {
    await expect(encode(bytes)).rejects.toThrow(/^data: damaged or cut off, as its gzip checksum shows/);
  }
});

test('a gzip bomb ends early', async () => {
  const zeros = new Blob([new Uint8Array(45e6).fill(10)]).stream();
  const packed = await new Response(zeros.pipeThrough(new CompressionStream('gzip'))).bytes();
  await expect(encode(packed)).rejects.toThrow(
    /^data: unpacks to more than 32.0 MiB, over 200 times its size, as no dataset does; /,
  );
});
