import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { nodeFolder } from '../../../src/cli/node-files.ts';
import { openBaseModel } from '../../../src/formats/base-model.ts';
import { bytesSource } from '../../../src/formats/byte-source.ts';
import type { NumberText } from '../../../src/formats/json.ts';
import { parquetRows } from '../../../src/formats/parquet/rows.ts';
import { defaultRecipe, parseOwnRecipe, parseRecipe, type Recipe } from '../../../src/formats/recipe.ts';
import { decodeUtf8 } from '../../../src/formats/utf8.ts';
import { parseYaml } from '../../../src/formats/yaml.ts';
import { trainingArguments } from '../../../src/handover/arguments.ts';
import { processesFor } from '../../../src/handover/processes.ts';
import { baseHash } from '../../../src/model/base/read/content-hash.ts';
import { readCardLineage } from '../../../src/run/card-lineage.ts';
import { adapterHash } from '../../../src/run/checkpoint/identity.ts';
import { handedOver } from '../../support/handover.ts';
import { casePath } from '../../support/model-case.ts';

type Files = Map<string, Uint8Array<ArrayBuffer>>;
const textOf = (files: Files, path: string) => decodeUtf8(files.get(path)!)!;
const yamlOf = (files: Files, path: string) =>
  parseYaml(textOf(files, path), path) as Record<string, unknown>;

async function rowsOf(files: Files, path: string): Promise<Record<string, number[]>[]> {
  const rows = [];
  for await (const { row } of parquetRows(bytesSource(path, files.get(path)!))) {
    const numbers = [...row].map(([name, values]) => [
      name,
      (values as NumberText[]).map(({ text }) => Number(text)),
    ]);
    rows.push(Object.fromEntries(numbers) as Record<string, number[]>);
  }
  return rows;
}

const withTraining =
  (change: Partial<Recipe['training']>) =>
  (recipe: Recipe): Recipe => ({
    ...recipe,
    training: { ...recipe.training, ...change },
  });

describe('a hand-over', () => {
  it('has these files, the script last', async () => {
    const { files } = await handedOver('recipe_text');
    expect([...files.keys()]).toEqual([
      'rows/train.parquet',
      'rows/validation.parquet',
      'adapter/adapter_model.safetensors',
      'adapter/adapter_config.json',
      'accelerate/one-gpu.yaml',
      'accelerate/ddp.yaml',
      'accelerate/fsdp-qlora.yaml',
      'axolotl.yaml',
      'slurm.sh',
      'skypilot.yaml',
      'requirements.txt',
      'training_config.yaml',
      'card.md',
      'handover.json',
      'README.md',
      'train.py',
    ]);
    for (const name of ['adapter_model.safetensors', 'adapter_config.json']) {
      expect(files.get(`adapter/${name}`)).toEqual(
        new Uint8Array(readFileSync(casePath('recipe_text', `v1/${name}`))),
      );
    }
  });

  // The ids and labels that transformers made of the same rows; nothing predicts the first token of a row.
  it.each(['recipe_text', 'chat_messages', 'llama_sharded', 'qwen3', 'prequant'] as const)(
    'has the rows of %s as PyTorch saw them',
    async (name) => {
      const expected = JSON.parse(readFileSync(casePath(name, 'expected/expected.json'), 'utf8')) as {
        first_rows: { input_ids: number[]; labels: number[] }[];
      };
      const { files } = await handedOver(name);
      const rows = await rowsOf(files, 'rows/train.parquet');
      expect(rows.slice(0, 3)).toEqual(
        expected.first_rows.map(({ input_ids, labels }) => ({
          input_ids,
          attention_mask: input_ids.map(() => 1),
          labels: [-100, ...labels.slice(1)],
        })),
      );
    },
  );

  it('evaluates on as many rows as the recipe says', async () => {
    const { files } = await handedOver('batch2');
    expect(await rowsOf(files, 'rows/validation.parquet')).toHaveLength(5);
  });

  it('has files for accelerate, Slurm and SkyPilot that start as many processes', async () => {
    const { files } = await handedOver('qwen3', withTraining({ accumulationSteps: 6 }), { gpus: 3 });
    expect(yamlOf(files, 'accelerate/one-gpu.yaml')).toMatchObject({
      distributed_type: 'NO',
      num_processes: 1,
    });
    expect(yamlOf(files, 'accelerate/ddp.yaml')).toMatchObject({
      distributed_type: 'MULTI_GPU',
      num_processes: 3,
    });
    expect(yamlOf(files, 'accelerate/fsdp-qlora.yaml')).toMatchObject({
      distributed_type: 'FSDP',
      num_processes: 3,
      fsdp_config: { fsdp_version: 2, fsdp_transformer_layer_cls_to_wrap: 'Qwen3DecoderLayer' },
    });
    expect(textOf(files, 'slurm.sh')).toContain('#SBATCH --gpus-per-node=3\n');
    expect(yamlOf(files, 'skypilot.yaml')).toMatchObject({
      resources: { accelerators: { H100: 3 } },
      run: 'accelerate launch --config_file accelerate/ddp.yaml train.py\n',
    });
  });

  it('has no files for several GPUs where one is all that keeps the rows of a step', async () => {
    const { files } = await handedOver('batch2', withTraining({ accumulationSteps: 1 }));
    expect([...files.keys()].filter((path) => path.startsWith('accelerate/'))).toEqual([
      'accelerate/one-gpu.yaml',
    ]);
    expect(textOf(files, 'README.md')).not.toMatch(/ddp|FSDP/);
  });

  it('has a recipe that Retune reads back, and an axolotl file that reads as the same training', async () => {
    const { files } = await handedOver('recipe_text');
    const recipe = parseOwnRecipe(textOf(files, 'training_config.yaml'), 'training_config.yaml');
    const read = parseRecipe(textOf(files, 'axolotl.yaml'), 'axolotl.yaml');
    expect(read.reading?.tool).toBe('axolotl');
    const { evalOnStart, maxLength, ...training } = read.recipe.training;
    expect(evalOnStart).toBe(true);
    expect(maxLength).toBeLessThanOrEqual(recipe.training.maxLength);
    expect({ ...training, maxLength: recipe.training.maxLength }).toEqual(recipe.training);
    // In the order of adapter_config.json, which PEFT writes from a set.
    const modules = (lora: Recipe['lora']) => ({ ...lora, targetModules: new Set(lora.targetModules) });
    expect(modules(read.recipe.lora)).toEqual(modules(recipe.lora));
    expect(read.recipe.seed).toBe(recipe.seed);
    expect(yamlOf(files, 'axolotl.yaml')).toMatchObject({
      lora_model_dir: './adapter',
      datasets: [{ path: 'rows/train.parquet', ds_type: 'parquet', type: null }],
      val_set_size: 0,
    });
  });

  it('has a card with the lineage of what it makes', async () => {
    const { files } = await handedOver('recipe_text');
    const card = files.get('card.md')!;
    const folder = {
      name: 'output',
      list: () => Promise.resolve(['README.md']),
      open: (name: string) => Promise.resolve(name === 'README.md' ? bytesSource(name, card) : undefined),
    };
    const base = await openBaseModel(await nodeFolder(casePath('recipe_text', 'base')));
    expect(await readCardLineage(folder)).toEqual({
      base: await baseHash(base, () => undefined),
      source: await adapterHash(await nodeFolder(casePath('recipe_text', 'v1'))),
    });
  });

  it('keeps names of other people text', async () => {
    const name = 'x/y"\n- !!python/object:os.system {}';
    const { files } = await handedOver('batch2', (recipe) => ({ ...recipe, model: { name } }));
    expect(yamlOf(files, 'axolotl.yaml')['base_model']).toBe('toy/batch2');
    expect(textOf(files, 'slurm.sh')).not.toContain('os.system');
  });

  it('tells what was noted of the rows', async () => {
    const { notes } = await handedOver('chat_messages');
    expect(notes).toEqual([]);
  });
});

describe('the recipe as TrainingArguments', () => {
  const recipe = defaultRecipe();

  it('says what transformers would do otherwise', () => {
    expect(trainingArguments(recipe, true)).toEqual({
      num_train_epochs: 2,
      learning_rate: 5e-5,
      lr_scheduler_type: 'linear',
      warmup_steps: 0,
      per_device_train_batch_size: 1,
      gradient_accumulation_steps: 16,
      optim: 'paged_adamw_8bit',
      weight_decay: 0,
      max_grad_norm: 1,
      eval_strategy: 'steps',
      eval_steps: 200,
      per_device_eval_batch_size: 1,
      logging_strategy: 'steps',
      logging_steps: 10,
      save_strategy: 'steps',
      save_steps: 200,
      save_total_limit: 2,
      seed: 42,
    });
  });

  it.each([
    [{ warmupRatio: 0.1 }, { warmup_steps: 0.1 }],
    [{ warmupRatio: 0.1, warmupSteps: 7 }, { warmup_steps: 7 }],
    [{ saveTotalLimit: 0 }, { save_total_limit: null }],
    [{ maxSteps: 12 }, { max_steps: 12 }],
    [{ schedule: 'polynomial', scheduleOptions: { power: 2 } }, { lr_scheduler_kwargs: { power: 2 } }],
    [
      { evalStrategy: 'epoch', saveStrategy: 'no' },
      { eval_strategy: 'epoch', save_strategy: 'no' },
    ],
  ] as [Partial<Recipe['training']>, object][])('%o', (change, expected) => {
    expect(trainingArguments(withTraining(change)(recipe), true)).toMatchObject(expected);
  });

  it('evaluates nothing where there are no rows to evaluate on', () => {
    expect(trainingArguments(recipe, false)).toMatchObject({ eval_strategy: 'no', eval_on_start: false });
  });
});

describe('processes', () => {
  it.each([
    [16, 8],
    [12, 6],
    [7, 7],
    [11, 1],
    [1, 1],
  ])('of %i micro-batches a step: %i', (accumulation, expected) => {
    expect(processesFor(accumulation, undefined)).toBe(expected);
  });

  it('that cannot share a step are refused', () => {
    expect(() => processesFor(12, 8)).toThrow(
      'training.gradient_accumulation_steps is 12, which 8 GPUs cannot share without changing the rows of a step; choose one of these numbers of GPUs: 1, 2, 3, 4, 6, 12.',
    );
  });
});

describe('bad input', () => {
  it('packing is refused', async () => {
    await expect(handedOver('batch2', withTraining({ packing: true }))).rejects.toThrow(
      'training.packing is on, and packed sequences cannot be handed over',
    );
  });

  it('other inputs than those of the run are refused', async () => {
    const hash = '0'.repeat(64);
    const identity = {
      base: hash,
      source: hash,
      train: hash,
      validation: hash,
      tokens: hash,
      recipe: hash,
    };
    await expect(
      handedOver('batch2', undefined, { run: { name: 'v2', identity, moment: undefined }, baseHash: hash }),
    ).rejects.toThrow(
      'v2: these are not the files that the run was started with (changed: the training data, the validation data, the recipe); name those, or hand over --config instead of --run.',
    );
  });
});
