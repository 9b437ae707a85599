import { expect, it } from 'vitest';
import { nodeFolder } from '../../../src/cli/node-files.ts';
import { UserError } from '../../../src/formats/user-error.ts';
import { loadTokenizer } from '../../../src/text/load-tokenizer.ts';
import { encodeRows, renderRow } from '../../../src/text/rows.ts';
import golden from '../../fixtures/text/rows/ids.json' with { type: 'json' };
import { fixtureBytes, memoryFolder } from '../../support/memory-folder.ts';

// tests/reference/chats/make_row_ids.py
const MOMENT = '2026-03-07T14:05:09';

const tokenizerOf = async (pair: string) =>
  loadTokenizer(await nodeFolder(`tests/fixtures/text/pairs/${pair}`));

/** Ids of one row, and its trained parts. */
async function encode(pair: string, row: string): Promise<{ ids: number[]; trained: string[] }> {
  const tokenizer = await tokenizerOf(pair);
  const source = (await memoryFolder('d', { 'rows.jsonl': row }).open('rows.jsonl'))!;
  const { rows } = await encodeRows(source, tokenizer, { maxLength: 4096, moment: MOMENT });
  const parts = renderRow(tokenizer, rows[0]!).filter((part) => part.trained);
  return { ids: [...rows[0]!.ids], trained: parts.map(({ text }) => text) };
}

const linesOf = (name: string): string[] =>
  new TextDecoder()
    .decode(fixtureBytes(`text/rows/${name}.jsonl`))
    .trimEnd()
    .split('\n');

const cases = Object.entries(golden).flatMap(([file, pairs]) =>
  Object.entries(pairs as Record<string, (number[] | null)[]>).flatMap(([pair, rows]) =>
    rows.map((ids, i) => [file, i + 1, pair, ids] as const),
  ),
);

it.each(cases)('%s line %i under %s has Python’s ids', async (file, line, pair, expected) => {
  const row = linesOf(file)[line - 1]!;
  if (expected === null) {
    await expect(encode(pair, row)).rejects.toThrow(UserError);
  } else {
    expect((await encode(pair, row)).ids).toEqual(expected);
  }
});

/** The call of the first row as each pair's template writes it, with the end token that the template has. */
const CALLS: Record<string, string> = {
  qwen2_5: '<tool_call>\n{"name": "read_boiler", "arguments": {"unit": "C"}}\n</tool_call><|im_end|>\n',
  qwen3: '<tool_call>\n{"name": "read_boiler", "arguments": {"unit": "C"}}\n</tool_call><|im_end|>\n',
  llama3_like: '{"name": "read_boiler", "parameters": {"unit": "C"}}<|eot_id|>',
  deepseek_distill_like:
    '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>read_boiler\n```json\n{"unit": "C"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜>',
  // GLM's turns have no end token: the next one's opening ends them.
  glm4_moe:
    '\n<think></think>\n<tool_call>read_boiler\n<arg_key>unit</arg_key>\n<arg_value>C</arg_value>\n</tool_call>',
};

it.each(Object.entries(CALLS))(
  'a call under %s is trained whole with null, missing and empty content alike',
  async (pair, call) => {
    const row = JSON.parse(linesOf('messages-tools')[0]!) as { messages: Record<string, unknown>[] };
    const [asked, turn, ...rest] = row.messages;
    for (const content of ['', null, undefined]) {
      const messages = [asked, { ...turn, content }, ...rest];
      const { trained } = await encode(pair, JSON.stringify({ ...row, messages }));
      expect(trained).toHaveLength(2);
      expect(trained[0]).toBe(call);
      expect(trained[1]).toContain('93 degrees.');
    }
  },
);
