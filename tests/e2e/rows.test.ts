import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { nodeFolder, nodeSource } from '../../src/cli/node-files.ts';
import { hashRows, inspectBase, inspectRows } from '../../src/engine/files/inspect.ts';
import { editRow, leaveOut, noChanges, writeRowChanges } from '../../src/formats/row-changes.ts';
import { loadTokenizer } from '../../src/text/load-tokenizer.ts';
import { encodeRows, renderRow } from '../../src/text/rows.ts';
import { retune } from '../support/cli.ts';
import { fixtureBytes, fixtureFiles } from '../support/memory-folder.ts';

const BASE = 'tests/fixtures/cases/chat_messages/base';
const ROWS = 'tests/fixtures/cases/chat_messages/train.jsonl';
const folder = mkdtempSync(join(tmpdir(), 'retune-rows-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Line {
  row: number;
  format: string;
  text?: string;
  ids?: number[];
  trained?: number[];
  skipped?: string;
}
const linesOf = (text: string): Line[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

describe('retune rows', () => {
  test('--json gives the ids and masks that the reference run trained on', async () => {
    const { code, stdout, stderr } = await retune(['rows', '--base', BASE, '--train-data', ROWS, '--json']);
    expect(code).toBe(0);
    const lines = linesOf(stdout);
    const expected = JSON.parse(
      new TextDecoder().decode(fixtureBytes('cases/chat_messages/expected/expected.json')),
    ) as { first_rows: { input_ids: number[]; labels: number[] }[] };
    expected.first_rows.forEach(({ input_ids, labels }, i) => {
      expect(lines[i]!.ids).toEqual(input_ids);
      expect(lines[i]!.trained).toEqual(labels.map((label, at) => (label === -100 || at === 0 ? 0 : 1)));
    });
    expect(lines.map(({ row }) => row)).toEqual(lines.map((_, i) => i + 1));
    expect(stderr).toContain(`${lines.length} as messages`);
  });

  test('page, command and run have the same ids and masks', async () => {
    const pair = 'tests/fixtures/text/pairs/qwen2_5';
    const rows = 'tests/fixtures/text/rows/messages-tools.jsonl';
    const tokenizer = await loadTokenizer(await nodeFolder(pair));
    const trained = await encodeRows(await nodeSource(rows), tokenizer, { maxLength: 4096 });
    const { stdout } = await retune(['rows', '--base', pair, '--train-data', rows, '--json']);
    const lines = linesOf(stdout);
    expect(lines.map(({ ids }) => ids)).toEqual(trained.rows.map(({ ids }) => [...ids]));
    expect(lines.map((line) => line.trained)).toEqual(
      trained.rows.map((row) => [...row.trained].map((flag, i) => (i === 0 ? 0 : flag))),
    );
    const files = ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'].map(
      (name) => new File([readFileSync(join(pair, name))], name),
    );
    const file = new File([readFileSync(rows)], 'rows.jsonl');
    const page = await inspectRows({ name: 'base', files }, { file }, { maxLength: 4096, use: 'train' });
    const pieces = lines.map((line) =>
      renderRow(tokenizer, {
        ids: Uint32Array.from(line.ids!),
        trained: Uint8Array.from(line.trained!),
      }),
    );
    expect(page.preview.map((row) => row.pieces)).toEqual(pieces);
    expect(page).toMatchObject(trained.stats);
  });

  test('shows what the page’s preview shows', async () => {
    const base = {
      name: 'base',
      files: Object.entries(fixtureFiles('cases/chat_messages/base')).map(
        ([name, bytes]) => new File([bytes as Uint8Array<ArrayBuffer>], name),
      ),
    };
    const file = new File([readFileSync(ROWS)], 'train.jsonl');
    // With a row left out and one edited over the file.
    const second = readFileSync(ROWS, 'utf8').split('\n')[1]!;
    const changes = editRow(leaveOut(noChanges(await hashRows({ file })), [1]), 3, second);
    const list = join(folder, 'changes.json');
    writeFileSync(list, writeRowChanges(changes, 'train.jsonl'));
    const rows = { file, changes };
    const { preview } = await inspectRows(base, rows, { maxLength: 2048, use: 'train' });
    const { stdout } = await retune([
      ...['rows', '--base', BASE, '--train-data', ROWS, '--n', '2'],
      ...['--row-changes', list],
    ]);
    expect(preview.slice(0, 2).map(({ line }) => line)).toEqual([2, 3]);
    expect(preview[1]!.pieces).toEqual(preview[0]!.pieces);
    for (const { pieces } of preview.slice(0, 2)) {
      const text = pieces.map(({ text, trained }) => (trained ? `⟦${text}⟧` : text)).join('');
      expect(stdout).toContain(text.replaceAll(/^/gm, '  '));
    }
    expect(stdout).not.toMatch(/line [14]:/);
  });

  test('a list counts by place, a skipped row has its reason, a configuration cuts', async () => {
    const messages = [
      { role: 'user', content: 'q' },
      { role: 'assistant', content: 'a' },
    ];
    const file = join(folder, 'list.json');
    const config = join(folder, 'training_config.yaml');
    writeFileSync(file, JSON.stringify([{ messages, weight: 0 }, { messages }], null, 2));
    const args = ['rows', '--base', BASE, '--train-data', file, '--json'];
    const [skipped, taken] = linesOf((await retune(args)).stdout);
    expect(skipped).toEqual({ row: 1, format: 'messages', skipped: 'its weight is 0' });
    expect(taken).toMatchObject({ row: 2, format: 'messages' });
    writeFileSync(config, 'training: { max_seq_length: 4 }\n');
    const cut = linesOf((await retune([...args, '--config', config])).stdout);
    expect(cut[1]).toEqual({
      row: 2,
      format: 'messages',
      skipped: 'no trained token within 4 tokens',
    });
  });

  test('a bad row ends in one sentence', async () => {
    const file = join(folder, 'bad.jsonl');
    writeFileSync(file, '{"messages": [], "chosen": [1]}\n');
    const { code, stderr } = await retune(['rows', '--base', BASE, '--train-data', file]);
    expect(code).toBe(2);
    expect(stderr).toBe(
      `${file}, line 1: the key chosen belongs to preference training (DPO), which Retune does not do; remove the row, or the key where it means nothing.\n`,
    );
  });

  /** The case's base with its JSON files changed, on disk and as the page has it. */
  function changedBase(name: string, changes: Record<string, (json: Record<string, unknown>) => object>) {
    const path = join(folder, name);
    mkdirSync(path);
    const files = Object.entries(fixtureFiles('cases/chat_messages/base')).map(([file, bytes]) => {
      const change = changes[file];
      const text = new TextDecoder().decode(bytes as Uint8Array);
      const content = change ? JSON.stringify(change(JSON.parse(text) as never)) : (bytes as Uint8Array);
      if (!file.endsWith('.safetensors')) {
        writeFileSync(join(path, file), content);
      }
      return new File([content as BlobPart], file);
    });
    return { path, chosen: { name, files } };
  }
  const options = { maxLength: 2048, use: 'train' } as const;

  test('names the row whose token the embedding has no row for, in page and terminal', async () => {
    const extra = { id: 448, content: '<|extra|>', special: false };
    const { path, chosen } = changedBase('enlarged', {
      'tokenizer.json': (json) => ({ ...json, added_tokens: [...(json['added_tokens'] as object[]), extra] }),
    });
    const rows = join(folder, 'extra.jsonl');
    const text = '{"text": "as it was"}\n{"text": "with <|extra|> in it"}\n';
    writeFileSync(rows, text);
    const refused = await inspectRows(chosen, { file: new File([text], 'extra.jsonl') }, options).catch(
      ({ message }: Error) => message,
    );
    expect(refused).toMatch(
      /^extra\.jsonl, line 2: the token "<\|extra\|>" has the id 448 by .*, but the model's embedding has \d+ rows; leave the token out/,
    );
    const { code, stderr } = await retune(['rows', '--base', path, '--train-data', rows]);
    expect(code).toBe(2);
    expect(stderr).toContain('line 2: the token "<|extra|>" has the id 448');
    const { notes } = await inspectBase(chosen);
    expect(notes).toEqual([
      expect.stringMatching(
        /^tokenizer\.json has ids up to 448, but the embedding has \d+ rows: .*refused\.$/,
      ),
    ]);
  });

  test('tells of rows that are longer than the model’s positions, in page and terminal', async () => {
    const rows = { file: new File([readFileSync(ROWS)], 'train.jsonl') };
    const { longest } = await inspectRows(changedBase('usual', {}).chosen, rows, options);
    const { path, chosen } = changedBase('short', {
      'config.json': (json) => ({ ...json, max_position_embeddings: longest - 1 }),
    });
    const { notes } = await inspectRows(chosen, rows, options);
    expect(notes).toEqual([
      expect.stringMatching(
        `^train\\.jsonl: \\d+ rows? (is|are) longer than the ${longest - 1} positions that the model was made for \\(max_position_embeddings\\), the longest of ${longest} tokens; a max_seq_length of at most ${longest - 1} cuts them there\\.$`,
      ),
    ]);
    const { stdout } = await retune(['rows', '--base', path, '--train-data', ROWS, '--n', '0']);
    expect(stdout).toContain(notes[0]!.replace(/^train\.jsonl/, ''));
    expect((await inspectRows(chosen, rows, { ...options, maxLength: longest - 1 })).notes).toEqual([]);
  });

  test('skips a row whose call the chat template leaves out, and says so in page and terminal', async () => {
    const { path, chosen } = changedBase('callless', {});
    const template =
      "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content or '' }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
    writeFileSync(join(path, 'chat_template.jinja'), template);
    const files = [
      ...chosen.files.filter(({ name }) => name !== 'chat_template.jinja'),
      new File([template], 'chat_template.jinja'),
    ];
    const asked = { role: 'user', content: 'q' };
    const call = { role: 'assistant', tool_calls: [{ function: { name: 'f', arguments: {} } }] };
    const text = [
      [asked, call],
      [asked, { role: 'assistant', content: 'a' }],
    ]
      .map((messages) => JSON.stringify({ messages }) + '\n')
      .join('');
    const rows = join(folder, 'calls.jsonl');
    writeFileSync(rows, text);
    const why = 'the chat template leaves out the tool call "f" of messages[1]';
    const { stdout, stderr } = await retune(['rows', '--base', path, '--train-data', rows, '--json']);
    const [skipped, taken] = linesOf(stdout);
    expect(skipped).toEqual({ row: 1, format: 'messages', skipped: why });
    expect(taken!.text).toContain('assistant\na');
    expect(stderr).toContain(
      'calls.jsonl: 1 row is skipped, since without what the chat template leaves out',
    );
    const page = await inspectRows({ ...chosen, files }, { file: new File([text], 'calls.jsonl') }, options);
    expect(page.skipped).toEqual([{ line: 1, place: 1, why }]);
    expect(page.rows).toBe(1);
  });

  test('says of a chat template that does not load what it says of it', async () => {
    const { chosen } = changedBase('broken', {});
    const files = [
      ...chosen.files.filter(({ name }) => name !== 'chat_template.jinja'),
      new File(['{% for %}'], 'chat_template.jinja'),
    ];
    const { notes } = await inspectBase({ ...chosen, files });
    expect(notes).toEqual([
      expect.stringMatching(/^broken\/chat_template\.jinja, line 1: the chat template cannot be read: .*\.$/),
    ]);
  });
});
