import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { nodeFolder } from '../../src/cli/node-files.ts';
import { readAdapter } from '../../src/formats/adapter.ts';
import { Lora } from '../../src/model/lora.ts';
import { retune } from '../support/cli.ts';
import { retuneHere } from '../support/cli-here.ts';
import { testGpu } from '../support/gpu.ts';
import { lastLogits } from '../support/logits.ts';
import { casePath, ModelCase } from '../support/model-case.ts';

/** A Python with torch, transformers and peft. */
const PYTHON = process.env.RETUNE_PYTHON;

// PyTorch is no dependency of this project, so this runs only where RETUNE_PYTHON names an interpreter that has it.
it.skipIf(!PYTHON)('a V2 made here loads in PEFT and gives the same logits there', async () => {
  const name = 'rank_pattern';
  const work = mkdtempSync(join(tmpdir(), 'retune-peft-'));
  const adapter = join(work, 'v2');
  const { code, stderr } = await retune([
    'finetune',
    ...['--base', casePath(name, 'base'), '--source-model', casePath(name, 'v1')],
    ...['--train-data', casePath(name, 'train.jsonl'), '--config', casePath(name, 'training_config.yaml')],
    ...['--output', adapter],
  ]);
  expect(code, stderr).toBe(0);
  const { gpu, stream } = await testGpu();
  const opened = await ModelCase.open(gpu, name);
  const { weights } = await readAdapter(await nodeFolder(adapter), opened.model.config);
  const prompt = opened.expected.prompt_ids;
  const lora = new Lora(gpu, weights, opened.model.config.layers, false);
  const logits = [...(await lastLogits(stream, opened.base, lora, prompt))];
  const file = join(work, 'logits.json');
  writeFileSync(file, JSON.stringify({ prompt_ids: prompt, logits }));
  const base = casePath(name, 'base');
  const script = ['tests/reference/load_v2.py', '--base', base, '--adapter', adapter, '--logits', file];
  console.log(execFileSync(PYTHON!, script, { encoding: 'utf8' }));
  rmSync(work, { recursive: true });
});

// Double-quantized, as an export assumes of an adapter that no run of Retune made.
it.skipIf(!PYTHON).each(['recipe_text', 'llama_sharded', 'prequant', 'dynamic', 'untied_head'] as const)(
  '%s: V1 merged onto NF4 loads in transformers and gives the logits of base and adapter',
  async (name) => {
    const work = mkdtempSync(join(tmpdir(), 'retune-merged-'));
    const merged = join(work, 'merged');
    const { code, stderr } = await retuneHere([
      'export',
      ...['--base', casePath(name, 'base'), '--model', casePath(name, 'v1'), '--output', merged],
      ...['--to', 'merged', '--onto', 'nf4', '--type', 'f32'],
    ]);
    expect(code, stderr).toBe(0);
    const script = ['tests/reference/load_merged.py', merged, casePath(name, 'expected/expected.json')];
    console.log(execFileSync(PYTHON!, script, { encoding: 'utf8' }));
    rmSync(work, { recursive: true });
  },
);
