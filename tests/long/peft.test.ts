import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { nodeFolder } from '../../src/cli/node-files.ts';
import { readAdapter } from '../../src/formats/adapter.ts';
import { Lora } from '../../src/model/lora.ts';
import { retune } from '../support/cli.ts';
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
