import { describe, expect, it } from 'vitest';
import { parseRecipe, readingLines, recipeToYaml } from '../../../src/formats/recipe.ts';
import { UserError } from '../../../src/formats/user-error.ts';
import { fixtureBytes } from '../../support/memory-folder.ts';

const fixture = (name: string) => new TextDecoder().decode(fixtureBytes(`recipes/${name}`));
const read = (name: string) => parseRecipe(fixture(name), name);

/** A file's text with some lines changed or added; undefined removes one. */
function changed(text: string, lines: Record<string, unknown>): string {
  const kept = text.split('\n').filter((line) => !Object.hasOwn(lines, line.split(':')[0]!));
  const added = Object.entries(lines).filter(([, value]) => value !== undefined);
  return [...kept, ...added.map(([key, value]) => `${key}: ${JSON.stringify(value)}`)].join('\n');
}

const LF = fixture('llama-factory.yaml');
const TRL = fixture('trl-sft.yaml');
const AXOLOTL = fixture('axolotl.yml');
const lf = (lines: Record<string, unknown>) => parseRecipe(changed(LF, lines), 'lf.yaml');
const trl = (lines: Record<string, unknown>) => parseRecipe(changed(TRL, lines), 'trl.yaml');
const axolotl = (lines: Record<string, unknown>) => parseRecipe(changed(AXOLOTL, lines), 'axolotl.yml');

describe('LLaMA-Factory', () => {
  it('is read with its own values, and its tool’s where it is silent', () => {
    const { recipe, reading, warnings } = read('llama-factory.yaml');
    expect(reading?.tool).toBe('LLaMA-Factory');
    expect(warnings).toEqual([]);
    expect(recipe).toMatchObject({
      model: { name: 'Qwen/Qwen2.5-1.5B-Instruct' },
      lora: { r: 16, loraAlpha: 32, loraDropout: 0, targetModules: 'all-linear' },
      quantization: { useDoubleQuant: true },
      training: {
        epochs: 3,
        batchSize: 1,
        accumulationSteps: 8,
        learningRate: 1e-4,
        schedule: 'cosine',
        warmupRatio: 0.1,
        valSize: 0.1,
        saveSteps: 500,
        maxLength: 1024,
      },
      seed: 42,
      rest: {},
    });
    const silent = parseRecipe(
      'model_name_or_path: m\nstage: sft\nquantization_bit: 4\nfinetuning_type: lora',
      'lf.yaml',
    );
    expect(silent.recipe).toMatchObject({
      lora: { r: 8, loraAlpha: 16 },
      training: {
        epochs: 3,
        batchSize: 8,
        accumulationSteps: 1,
        learningRate: 5e-5,
        schedule: 'linear',
        maxLength: 2048,
      },
    });
    expect(silent.recipe.training).toMatchObject({ saveTotalLimit: 0, optimizer: 'adamw_torch_fused' });
    expect(lf({ optim: 'adamw_torch' }).recipe.training.optimizer).toBe('adamw_torch');
  });

  it('as it is published: names, places and what has no effect are told', () => {
    const { recipe, reading } = lf({
      trust_remote_code: true,
      do_train: true,
      dataset: 'identity,alpaca_en_demo',
      template: 'qwen3_nothink',
      max_samples: 1000,
      preprocessing_num_workers: 16,
      dataloader_num_workers: 4,
      output_dir: 'saves',
      plot_loss: true,
      overwrite_output_dir: true,
      save_only_model: false,
      report_to: 'none',
      bf16: true,
      ddp_timeout: 180000000,
      resume_from_checkpoint: null,
      lora_target: 'q_proj, v_proj',
      lora_alpha: null,
      deepspeed: 'examples/deepspeed/ds_z3_config.json',
      eval_strategy: 'steps',
      logging_steps: 20,
    });
    expect(recipe.lora).toMatchObject({ r: 16, loraAlpha: 32, targetModules: ['q_proj', 'v_proj'] });
    expect(recipe.training).toMatchObject({ maxTrainSamples: 1000, evalSteps: 20, loggingSteps: 20 });
    expect(reading?.places).toEqual([
      'model_name_or_path',
      'dataset',
      'output_dir',
      'resume_from_checkpoint',
    ]);
    expect(reading?.harmless).toEqual(
      expect.arrayContaining([
        'do_train',
        'plot_loss',
        'report_to',
        'bf16',
        'ddp_timeout',
        'preprocessing_num_workers',
      ]),
    );
    expect(reading?.notes.join(' ')).toMatch(/template is not used.*deepspeed: one GPU trains here/);
    expect(reading?.given).toEqual(
      expect.arrayContaining([
        'lora.r 16 (lora_rank)',
        'training.max_train_samples 1000 (max_samples)',
        'stage "sft"',
      ]),
    );
  });

  it.each([
    [{ stage: 'dpo' }, 'stage is "dpo", expected sft'],
    [{ stage: 'pt' }, 'stage is "pt", expected sft'],
    [{ finetuning_type: 'full' }, 'finetuning_type is "full", expected lora'],
    [{ quantization_bit: 8 }, 'quantization_bit is 8, expected 4'],
    [{ quantization_bit: undefined }, 'quantization_bit is missing, expected 4'],
    [{ quantization_method: 'hqq' }, 'quantization_method is "hqq", expected bnb or bitsandbytes'],
    [{ quantization_type: 'fp4' }, 'quantization_type is "fp4", expected nf4'],
    [{ packing: true }, 'packing is true, expected false, or neat_packing beside it'],
    [{ neftune_noise_alpha: 5 }, 'neftune_noise_alpha is 5, expected 0'],
    [{ loraplus_lr_ratio: 16 }, 'loraplus_lr_ratio is 16, expected it to be unset'],
    [{ use_dora: true }, 'use_dora is true, expected it to be unset'],
    [{ train_on_prompt: true }, 'train_on_prompt is true, expected it to be unset'],
    [{ mask_history: true }, 'mask_history is true'],
    [{ additional_target: 'embed_tokens' }, 'additional_target is "embed_tokens"'],
    [{ early_stopping_steps: 0 }, 'early_stopping_steps is 0, expected a whole number at least 1'],
    [{ val_size: 1 }, 'val_size is 1, expected a share of the rows below 1'],
    [{ lora_rank: 0 }, 'lora_rank is 0, expected a whole number at least 1'],
    [{ cutoff_len: 'long' }, 'cutoff_len is "long", expected a whole number at least 2'],
    [{ optim: 'adafactor' }, 'optim is "adafactor", expected one of'],
    [
      { lr_scheduler_type: 'reduce_lr_on_plateau' },
      'lr_scheduler_type is "reduce_lr_on_plateau", expected one of',
    ],
    [{ label_smoothing_factor: 0.1 }, 'label_smoothing_factor is 0.1, expected 0'],
    [{ lora_rnak: 8 }, 'lora_rnak is not known, did you mean lora_rank?'],
    [{ micro_batch_size: 8 }, 'micro_batch_size is not known, did you mean per_device_train_batch_size?'],
    [{ micro_batches: 8 }, 'micro_batches is not a key of LLaMA-Factory that Retune knows'],
  ])('%j is refused by name', (lines, sentence) => {
    expect(() => lf(lines)).toThrow(`lf.yaml: ${sentence}`);
    expect(() => lf(lines)).toThrow(UserError);
  });
});

describe('TRL', () => {
  it('is read with its own values, and its tool’s where it is silent', () => {
    const { recipe, reading } = read('trl-sft.yaml');
    expect(reading?.tool).toBe('TRL');
    expect(recipe).toMatchObject({
      lora: { r: 32, loraAlpha: 16, loraDropout: 0.05, targetModules: ['q_proj', 'v_proj'] },
      quantization: { useDoubleQuant: false },
      training: {
        epochs: 1,
        batchSize: 2,
        accumulationSteps: 8,
        learningRate: 2e-4,
        maxGradNorm: 0,
        maxLength: 1024,
      },
    });
    expect(reading?.given).toEqual(
      expect.arrayContaining([
        'training.max_grad_norm 0',
        'packing false',
        'use_peft true',
        'completion_only_loss true',
      ]),
    );
    const silent = trl({
      learning_rate: undefined,
      max_length: undefined,
      lora_r: undefined,
      lora_alpha: undefined,
    });
    expect(silent.recipe).toMatchObject({
      lora: { r: 16, loraAlpha: 32 },
      training: { learningRate: 2e-5, maxLength: 1024 },
    });
  });

  it('null says no cut, a list of one name is that name, and other names of settings are known', () => {
    const { recipe, reading } = trl({
      max_length: null,
      lora_target_modules: ['all-linear'],
      use_bnb_nested_quant: true,
      dataset_name: 'trl-lib/Capybara',
      torch_dtype: 'bfloat16',
      attn_implementation: 'sdpa',
      gradient_checkpointing: true,
      assistant_only_loss: true,
      max_steps: 50,
    });
    expect(recipe.training).toMatchObject({ maxLength: Infinity, maxSteps: 50 });
    expect(recipe.lora.targetModules).toBe('all-linear');
    expect(recipe.quantization.useDoubleQuant).toBe(true);
    expect(reading?.places).toEqual(['model_name_or_path', 'dataset_name']);
    expect(reading?.notes.join()).not.toMatch(/assistant_only_loss/);
    expect(trl({ max_length: undefined, max_seq_length: 300 }).recipe.training.maxLength).toBe(300);
  });

  it.each([
    [{ use_peft: undefined }, 'use_peft is missing, expected true'],
    [{ load_in_4bit: false }, 'load_in_4bit is false, expected true'],
    [{ load_in_8bit: true }, 'load_in_8bit is true, expected false'],
    [{ packing: true, packing_strategy: 'wrapped' }, 'packing_strategy is "wrapped", expected bfd'],
    [{ completion_only_loss: false }, 'completion_only_loss is false, expected true'],
    [{ loss_type: 'dft' }, 'loss_type is "dft", expected nll or chunked_nll'],
    [{ beta: 0.1 }, 'beta is 0.1, expected it to be unset, since only supervised fine-tuning is done here'],
    [{ lora_modules_to_save: ['lm_head'] }, 'lora_modules_to_save is ["lm_head"]'],
    [{ lora_r: 'many' }, 'lora_r is "many", expected a whole number'],
  ])('%j is refused by name', (lines, sentence) => {
    expect(() => trl(lines)).toThrow(`trl.yaml: ${sentence}`);
  });
});

describe('axolotl', () => {
  it('is read with its own values, and its tool’s where it is silent', () => {
    const { recipe, reading } = axolotl({});
    expect(reading?.tool).toBe('axolotl');
    expect(recipe).toMatchObject({
      lora: { r: 32, loraAlpha: 16, loraDropout: 0.05, targetModules: 'all-linear' },
      quantization: { useDoubleQuant: true },
      training: {
        epochs: 1,
        batchSize: 2,
        evalBatchSize: 2,
        accumulationSteps: 4,
        optimizer: 'paged_adamw_8bit',
        schedule: 'cosine',
        learningRate: 2e-4,
        warmupSteps: 10,
        valSize: 0.05,
        saveStrategy: 'epoch',
        evalStrategy: 'epoch',
        saveTotalLimit: 4,
        maxLength: 2048,
      },
    });
    expect(reading?.places).toEqual(['base_model']);
    const silent = axolotl({ sequence_len: undefined, warmup_steps: undefined, lr_scheduler: undefined });
    expect(silent.recipe.training).toMatchObject({ maxLength: 512, warmupRatio: 0.03, schedule: 'cosine' });
    expect(silent.reading?.notes.join()).toMatch(/3 % of the steps warm up/);
  });

  it('as it is published: nulls are silence, parts of epochs are shares, places and loggers are told', () => {
    const { recipe, reading } = axolotl({
      datasets: [{ path: 'teknium/GPT4-LLM-Cleaned', type: 'alpaca' }],
      dataset_prepared_path: 'last_run_prepared',
      output_dir: './outputs',
      lora_model_dir: null,
      lora_target_linear: undefined,
      lora_target_modules: ['q_proj', 'down_proj'],
      wandb_project: null,
      wandb_watch: null,
      bf16: 'auto',
      tf32: false,
      num_epochs: 2,
      gradient_checkpointing: true,
      attn_implementation: 'flash_attention_2',
      loss_watchdog_threshold: 5,
      warmup_steps: null,
      warmup_ratio: 0.1,
      evals_per_epoch: 4,
      saves_per_epoch: 1,
      save_total_limit: 0,
      max_grad_norm: null,
      special_tokens: { pad_token: '<|end_of_text|>' },
      cosine_min_lr_ratio: 0.1,
      sample_packing: false,
    });
    expect(recipe.lora.targetModules).toEqual(['q_proj', 'down_proj']);
    expect(recipe.training).toMatchObject({
      evalSteps: 1 / 8,
      saveSteps: 1 / 2,
      evalOnStart: true,
      saveTotalLimit: 4,
      maxGradNorm: 1,
      warmupRatio: 0.1,
      schedule: 'cosine_with_min_lr',
      scheduleOptions: { min_lr_rate: 0.1 },
    });
    expect(recipe.training.saveStrategy).toBeUndefined();
    expect(reading?.places).toEqual(expect.arrayContaining(['datasets', 'output_dir', 'lora_model_dir']));
    expect(reading?.harmless).toEqual(
      expect.arrayContaining(['wandb_project', 'bf16', 'attn_implementation']),
    );
  });

  it.each([
    [{ rl: 'dpo' }, 'rl is "dpo", expected it to be unset'],
    [{ adapter: undefined }, 'adapter is missing, expected lora or qlora'],
    [{ load_in_4bit: false }, 'load_in_4bit is false, expected true'],
    [{ load_in_8bit: true }, 'load_in_8bit is true'],
    [{ peft_use_dora: true }, 'peft_use_dora is true'],
    [{ peft: { loftq_config: { loftq_bits: 4 } } }, 'peft is {"loftq_config":{"loftq_bits":4}}'],
    [{ lora_modules_to_save: ['lm_head'] }, 'lora_modules_to_save is ["lm_head"]'],
    [{ train_on_inputs: true }, 'train_on_inputs is true'],
    [{ group_by_length: true }, 'group_by_length is true'],
    [{ neftune_noise_alpha: 5 }, 'neftune_noise_alpha is 5'],
    [{ optimizer: 'muon' }, 'optimizer is "muon", expected one of'],
    [{ lr_scheduler: 'one_cycle' }, 'lr_scheduler is "one_cycle", expected one of'],
    [{ relora: true }, 'relora is true'],
    [
      { early_stopping_patience: 3, eval_strategy: 'no' },
      'eval_strategy is "no", expected steps or epoch, since early_stopping_patience is set',
    ],
    [{ lora_target_linear: undefined }, 'lora_target_modules is missing, expected names'],
    [{ learning_rate: undefined }, 'learning_rate is missing, expected a number above 0'],
    [{ batch_size: 64 }, 'batch_size is 64, expected 8'],
    [{ micro_batch_size: 0 }, 'micro_batch_size is 0, expected a whole number at least 1'],
    [
      { datasets: [{ path: 'x', roles_to_train: ['assistant', 'user'] }] },
      'datasets[0].roles_to_train is ["assistant","user"], expected assistant',
    ],
    [{ sequence_length: 8 }, 'sequence_length is not a key of axolotl that Retune knows'],
  ])('%j is refused by name', (lines, sentence) => {
    expect(() => axolotl(lines)).toThrow(`axolotl.yml: ${sentence}`);
  });

  it('stops early, as LLaMA-Factory does under another name', () => {
    const { recipe, reading } = axolotl({ early_stopping_patience: 3 });
    expect(recipe.training.earlyStoppingPatience).toBe(3);
    expect(reading?.notes.join(' ')).toMatch(/early_stopping_patience: the result is .* unless load_best/);
    expect(lf({ early_stopping_steps: 2 }).recipe.training.earlyStoppingPatience).toBe(2);
    expect(() => trl({ early_stopping_patience: 2 })).toThrow('early_stopping_patience');
  });

  it('packs rows, as the others do where they keep rows apart', () => {
    expect(axolotl({}).recipe.training).toMatchObject({ packing: true, maxLength: 2048, batchSize: 2 });
    expect(axolotl({}).reading?.given).toContain('training.packing true (sample_packing)');
    expect(trl({ packing: true }).recipe.training.packing).toBe(true);
    expect(lf({ neat_packing: true, packing: true }).recipe.training.packing).toBe(true);
    expect(() => trl({ packing: true, max_length: null })).toThrow('packing');
  });
});

describe('TrainingArguments of transformers', () => {
  it('all of them, as JSON', () => {
    const { recipe, reading } = read('training_args.json');
    expect(reading?.tool).toMatch(/^TrainingArguments/);
    expect(recipe.training).toMatchObject({
      epochs: 1,
      batchSize: 2,
      evalBatchSize: 8,
      accumulationSteps: 4,
      optimizer: 'adamw_8bit',
      adamBeta2: 0.95,
      warmupSteps: 0.1,
      maxGradNorm: 0.5,
      evalSteps: 50,
      saveSteps: 100,
      loadBestModelAtEnd: true,
      metricForBestModel: 'loss',
      saveTotalLimit: 0,
    });
    expect(recipe.lora.r).toBe(32);
    expect(reading?.places).toEqual(['output_dir', 'resume_from_checkpoint']);
    expect(reading?.harmless).toEqual(
      expect.arrayContaining(['bf16', 'hub_token', 'report_to', 'accelerator_config']),
    );
  });

  it('a few of them, as YAML', () => {
    const { recipe, reading } = parseRecipe(
      'output_dir: x\nlearning_rate: 1e-4\nmax_steps: 20\n',
      'args.yaml',
    );
    expect(recipe.training).toMatchObject({ learningRate: 1e-4, maxSteps: 20, batchSize: 8, epochs: 3 });
    expect(recipe.training.optimizer).toBe('adamw_torch_fused');
    expect(reading?.defaults).toContain('training.optim "adamw_torch_fused"');
  });

  it('is refused for what would change the training', () => {
    expect(() => parseRecipe('output_dir: x\ngroup_by_length: true', 'a.yaml')).toThrow(
      'a.yaml: group_by_length is true',
    );
    expect(() => parseRecipe('output_dir: x\ndataloader_drop_last: true', 'a.yaml')).toThrow(
      'dataloader_drop_last',
    );
    expect(() => parseRecipe('output_dir: x\nmy_own: 3', 'a.yaml')).toThrow(
      'my_own is not a key of TrainingArguments',
    );
  });
});

describe('what is nobody’s', () => {
  it.each([
    'tokenizer: {_component_: torchtune.x}\nmodel: {_component_: y}\noptimizer: {lr: 1}\nepochs: 1\nloss: {z: 1}',
    'task: llm-sft\nbase: x\nparams: {lr: 1e-4}',
    'iters: 100\nfine_tune_type: lora\ndata: x',
  ])('is refused and not taken for an empty recipe: %j', (text) => {
    expect(() => parseRecipe(text, 'other.yaml')).toThrow(
      /^other\.yaml: its keys \(.*\) are not those of a recipe; choose/,
    );
  });

  it.each([
    '',
    '{}',
    'seed: 1',
    'model: {name: x}',
    'training:\n',
    'training: {save_steps: 3}\nwandb: {project: x}',
  ])('but ours is ours: %j', (text) => {
    expect(parseRecipe(text, 'a.yaml').reading).toBeUndefined();
  });
});

it.each(['llama-factory.yaml', 'trl-sft.yaml', 'axolotl.yml', 'training_args.json'])(
  '%s is written as ours, and reads back',
  (name) => {
    const { recipe } = read(name);
    const written = parseRecipe(recipeToYaml(recipe), 'training_config.yaml');
    expect(written).toEqual({ recipe, warnings: [] });
  },
);

it('what was read is told in lines, and every key of the file is in one of them', () => {
  for (const name of ['llama-factory.yaml', 'trl-sft.yaml', 'axolotl.yml', 'training_args.json']) {
    const { reading } = read(name);
    const text = readingLines(reading!, 'what is chosen counts')
      .map(([heading, words]) => `${heading}: ${words}`)
      .join('\n');
    const keys = name.endsWith('.json')
      ? Object.keys(JSON.parse(fixture(name)) as object)
      : fixture(name).match(/^\w+/gm)!;
    for (const key of keys) {
      expect(text).toContain(key);
    }
  }
});
