import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { retuneHere } from '../../support/cli-here.ts';

const CASE = 'tests/fixtures/cases/chat_messages';
let work: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'retune-check-'));
});
afterEach(() => rmSync(work, { recursive: true }));

const check = (args: Record<string, string | undefined> = {}) =>
  retuneHere([
    'check',
    ...Object.entries({
      base: `${CASE}/base`,
      'source-model': `${CASE}/v1`,
      'train-data': `${CASE}/train.jsonl`,
      'val-data': `${CASE}/val.jsonl`,
      config: `${CASE}/training_config.yaml`,
      ...args,
    }).flatMap(([key, value]) => (value === undefined ? [] : [`--${key}`, value])),
  ]);

it('says that nothing is worth a look, and writes nothing', async () => {
  const { code, stdout, stderr } = await check();
  expect(stderr).toBe('');
  expect(stdout).toMatch(/29 rows to train on, 4 rows to evaluate on; 8 steps\nNothing is worth a look\.\n$/);
  expect(code).toBe(0);
  expect(readdirSync(work)).toEqual([]);
});

it('says what is worth a look, each with what mends it, and ends well all the same', async () => {
  const rows = join(work, 'rows.jsonl');
  const row = `${JSON.stringify({ instruction: 'Where is fuse 45?', output: 'In Porto.' })}\n`;
  writeFileSync(rows, row + row.replace('Porto', 'Graz') + row);
  const config = join(work, 'recipe.yaml');
  writeFileSync(config, 'training: {learning_rate: 1}\nlora: {target_modules: [q_proj, c_attn]}\n');
  const { code, stdout } = await check({
    'source-model': 'none',
    'train-data': rows,
    'val-data': rows,
    config,
  });
  const said = stdout.split('\n').filter((line) => line.startsWith('Worth a look: '));
  expect(said.map((line) => line.slice('Worth a look: '.length).replaceAll(rows, 'rows.jsonl'))).toEqual([
    'learning_rate is 1, so high that the loss is likely to rise or to stop being a number: for LoRA on a model of this width (128) 8.6e-5 to 4.3e-3 is usual; set learning_rate to 2e-4.',
    'an epoch is shorter than one optimizer step: 3 rows to train on, and a step takes 16 (per_device_train_batch_size 1 × gradient_accumulation_steps 16); set gradient_accumulation_steps to 1.',
    'target_modules has "c_attn", which no module of the base is called (they are q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj), so that the adapter is smaller than asked for; set target_modules to q_proj.',
    'rows.jsonl: 3 rows are in rows.jsonl as well, lines 1, 2 and 3 (the first there on line 3): the eval loss of rows that are trained does not show what was learned.',
    'rows.jsonl: 1 row is the same as an earlier one, line 3 (the first like line 1): each counts as often as it is there; leave the later ones out.',
    'rows.jsonl: 1 question has more than one answer, on lines 1, 2 and 3: the model is taught to contradict itself; keep only the last answer of each.',
  ]);
  expect(code).toBe(0);
});

it('refuses a base that is not named', async () => {
  const { code, stderr } = await check({ base: undefined, config: undefined, 'source-model': 'none' });
  expect(stderr).toBe("retune: required option '--base <folder>' not specified; see retune check --help.\n");
  expect(code).toBe(2);
});
