import { describe, expect, test } from 'vitest';
import {
  defaultRecipe,
  parseOwnRecipe,
  parseRecipe,
  recipeProblem,
  recipeToYaml,
} from '../../../src/formats/recipe.ts';
import { nearest } from '../../../src/formats/recipe/unread.ts';
import { UserError } from '../../../src/formats/user-error.ts';
import { fixtureBytes } from '../../support/memory-folder.ts';

const FILE = 'training_config.yaml';
const parse = (text: string) => parseRecipe(text, FILE);
const fixture = (name: string) => new TextDecoder().decode(fixtureBytes(`cases/${name}/${FILE}`));
const ALL = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];

describe('reading', () => {
  test('the recipe’s values where the file is silent', () => {
    expect(defaultRecipe()).toEqual({
      model: { name: '' },
      lora: { r: 32, loraAlpha: 64, loraDropout: 0, useRslora: false, targetModules: ALL },
      quantization: { useDoubleQuant: true },
      training: {
        epochs: 2,
        batchSize: 1,
        evalBatchSize: 1,
        accumulationSteps: 16,
        optimizer: 'paged_adamw_8bit',
        learningRate: 5e-5,
        weightDecay: 0,
        warmupRatio: 0,
        warmupSteps: 0,
        schedule: 'linear',
        maxGradNorm: 1,
        loggingSteps: 10,
        saveSteps: 200,
        saveTotalLimit: 2,
        evalSteps: 200,
        maxLength: 2048,
      },
      seed: 42,
      rest: {},
    });
    expect(parse('training:\n  save_steps: 7\n').recipe.training).toMatchObject({
      saveSteps: 7,
      evalSteps: 7,
    });
    expect(parse('lora:\ntraining:\n').recipe).toEqual(defaultRecipe());
  });

  test('the fixtures, without a warning', () => {
    const { recipe, warnings } = parse(fixture('recipe_text'));
    expect(warnings).toEqual([]);
    expect(recipe.training).toMatchObject({
      learningRate: 0.002,
      schedule: 'cosine',
      warmupRatio: 0.1,
      weightDecay: 0.5,
      evalSteps: 3,
      saveSteps: 3,
      loggingSteps: 1,
      maxLength: 96,
    });
    expect(parse(fixture('chat_messages')).recipe).toMatchObject({
      seed: 7,
      model: { name: 'toy/chat_messages' },
      quantization: { useDoubleQuant: false },
      lora: { r: 8, loraAlpha: 16, targetModules: ['q_proj', 'v_proj'] },
    });
  });

  test('numbers given as text, as PyYAML reads 5e-5, and the other name of the length', () => {
    const { recipe } = parse(
      'training:\n  learning_rate: "5e-5"\n  max_length: "128"\n  num_train_epochs: 1.5\n',
    );
    expect(recipe.training).toMatchObject({ learningRate: 5e-5, maxLength: 128, epochs: 1.5 });
  });

  test('unknown keys and keys without effect are named once and kept; keys for compatibility are kept only', () => {
    const { recipe, warnings } = parse(
      'training:\n  bf16: true\n  report_to: wandb\n  dataloader_num_workers: 4\n  mood: good\noutput_dir: x\n' +
        'wandb: {project: x}\nmodel:\n  cache_dir: /tmp\n',
    );
    expect(warnings).toEqual([
      `${FILE}: without effect here: output_dir, training.report_to, training.dataloader_num_workers.`,
      `${FILE}: not known, and without effect: wandb, training.mood.`,
    ]);
    expect(recipe.rest).toEqual({
      output_dir: 'x',
      wandb: { project: 'x' },
      'model.cache_dir': '/tmp',
      'training.bf16': true,
      'training.report_to': 'wandb',
      'training.dataloader_num_workers': 4,
      'training.mood': 'good',
    });
  });

  test('keys with names of JavaScript’s own are written back as any other', () => {
    const { recipe } = parse(
      '__proto__: 1\nconstructor: {a: 2}\ntraining: {__proto__: {r: 5}, toString: x}\n',
    );
    const again = parse(recipeToYaml(recipe)).recipe;
    expect(again).toEqual(recipe);
    expect(Object.entries(again.rest).toSorted()).toEqual([
      ['__proto__', 1],
      ['constructor', { a: 2 }],
      ['training.__proto__', { r: 5 }],
      ['training.toString', 'x'],
    ]);
  });

  test('null means none, where leaving the key out means a default; 0 of a limit means the same', () => {
    const none = { maxGradNorm: 0, saveTotalLimit: 0, maxLength: Infinity };
    expect(
      parse('training: {max_grad_norm: null, save_total_limit: null, max_seq_length: null}').recipe.training,
    ).toMatchObject(none);
    expect(
      parse('training: {max_grad_norm: 0, save_total_limit: 0, max_length: null}').recipe.training,
    ).toEqual({
      ...defaultRecipe().training,
      ...none,
    });
    expect(parse('training: {learning_rate: null, max_steps: null, val_size: null}').recipe).toEqual(
      defaultRecipe(),
    );
  });

  test('steps below 1 are shares, a quoted or unquoted no is no, and usual values leave no trace', () => {
    const { training } = parse(
      'training: {warmup_steps: 0.1, eval_steps: 0.25, save_strategy: no, evaluation_strategy: "no", max_steps: 5}',
    ).recipe;
    expect(training).toMatchObject({
      warmupSteps: 0.1,
      evalSteps: 0.25,
      saveStrategy: 'no',
      evalStrategy: 'no',
      maxSteps: 5,
    });
    const usual =
      'training: {max_steps: -1, adam_beta1: 0.9, adam_beta2: "0.999", adam_epsilon: 1e-8, eval_strategy: steps, ' +
      'logging_first_step: false, load_best_model_at_end: false, greater_is_better: false, val_size: 0, ' +
      'save_best: false, early_stopping_threshold: 0, sample_prompts: [], sample_max_new_tokens: 64, ' +
      'lr_scheduler_kwargs: {}, neftune_noise_alpha: null, label_smoothing_factor: 0, data_seed: 42}';
    expect(recipeToYaml({ ...parse(usual).recipe, rest: {} })).toBe(recipeToYaml(defaultRecipe()));
  });

  test('a schedule’s options, as names or as JSON in a text', () => {
    for (const text of ['{num_cycles: 2}', '\'{"num_cycles": 2}\'']) {
      expect(
        parse(`training: {lr_scheduler_type: cosine_with_restarts, lr_scheduler_kwargs: ${text}}`).recipe
          .training,
      ).toMatchObject({ schedule: 'cosine_with_restarts', scheduleOptions: { num_cycles: 2 } });
    }
  });
});

test('an earlier version’s recipes are the same bytes: runs are told apart by them', () => {
  expect(recipeToYaml(defaultRecipe())).toBe(`model:
  name: ""
lora:
  r: 32
  lora_alpha: 64
  lora_dropout: 0
  use_rslora: false
  target_modules:
    - q_proj
    - k_proj
    - v_proj
    - o_proj
    - gate_proj
    - up_proj
    - down_proj
quantization:
  load_in_4bit: true
  bnb_4bit_quant_type: nf4
  bnb_4bit_use_double_quant: true
training:
  num_train_epochs: 2
  per_device_train_batch_size: 1
  per_device_eval_batch_size: 1
  gradient_accumulation_steps: 16
  optim: paged_adamw_8bit
  learning_rate: 0.00005
  weight_decay: 0
  warmup_ratio: 0
  warmup_steps: 0
  lr_scheduler_type: linear
  max_grad_norm: 1
  logging_steps: 10
  save_steps: 200
  save_total_limit: 2
  eval_steps: 200
  max_seq_length: 2048
seed: 42
`);
});

test('what an earlier version wrote still opens, with what it did not know', () => {
  const text = 'training: {group_by_length: true, r: 5, learning_rte: 1}\nlearning_rate: 3\n';
  expect(() => parse(text)).toThrow(UserError);
  const recipe = parseOwnRecipe(text, FILE);
  expect(recipe.training).toEqual(defaultRecipe().training);
  expect(recipe.rest).toMatchObject({ 'training.r': 5, learning_rate: 3 });
});

test('LoRA options that change nothing are kept without a warning', () => {
  const lora = { use_dora: false, bias: 'none', modules_to_save: null, layer_replication: [] };
  const { recipe, warnings } = parse(JSON.stringify({ lora }));
  expect(warnings).toEqual([]);
  expect(recipe.lora).toEqual(defaultRecipe().lora);
  expect(recipe.rest).toEqual(
    Object.fromEntries(Object.entries(lora).map(([key, value]) => [`lora.${key}`, value])),
  );
});

describe('refusals', () => {
  test.each([
    ['training:\n  learning_rate: fast', 'training.learning_rate is "fast", expected a number above 0'],
    ['training:\n  learning_rate: 0', 'training.learning_rate is 0, expected a number above 0'],
    ['training:\n  learning_rate: .inf', 'training.learning_rate is Infinity, expected a number above 0'],
    ['training:\n  num_train_epochs: -1', 'training.num_train_epochs is -1, expected a number above 0'],
    [
      'training:\n  gradient_accumulation_steps: 1.5',
      'training.gradient_accumulation_steps is 1.5, expected a whole number at least 1',
    ],
    [
      'training:\n  warmup_ratio: 2',
      'training.warmup_ratio is 2, expected a number at least 0 and at most 1',
    ],
    [
      'training:\n  sample_prompts: [Why?, ""]',
      'training.sample_prompts is ["Why?",""], expected a list of texts, none of them empty',
    ],
    [
      'training:\n  sample_prompts: [a, b, c, d, e, f, g, h, i]',
      'training.sample_prompts is ["a","b","c","d","e","f","g","h","i"], expected at most 8 texts',
    ],
    ['training:\n  warmup_steps: -1', 'training.warmup_steps is -1, expected a number at least 0'],
    [
      'training:\n  eval_steps: 1.5',
      'training.eval_steps is 1.5, expected a number above 0, and a whole one above 1',
    ],
    [
      'training:\n  save_strategy: best',
      'training.save_strategy is "best", expected one of steps, epoch, no',
    ],
    [
      'training: {max_length: 512, max_seq_length: 1024}',
      'training.max_length is 512, expected the same as max_seq_length (1024), which means the same',
    ],
    [
      'training: {val_size: 2.5}',
      'training.val_size is 2.5, expected a number at least 0, and a whole one above 1',
    ],
    ['training: {adam_beta1: 1}', 'training.adam_beta1 is 1, expected a number at least 0 and below 1'],
    [
      'training: {metric_for_best_model: accuracy}',
      'training.metric_for_best_model is "accuracy", expected one of loss, eval_loss',
    ],
    [
      'training: {load_best_model_at_end: true, save_steps: 500, eval_steps: 200}',
      'training.save_steps is 500, expected a multiple of eval_steps (200), since load_best_model_at_end is on',
    ],
    [
      'training: {load_best_model_at_end: true, save_strategy: epoch}',
      'training.save_strategy is "epoch", expected steps like eval_strategy, since load_best_model_at_end is on',
    ],
    [
      'training: {load_best_model_at_end: true, eval_strategy: "no"}',
      'training.eval_strategy is "no", expected steps or epoch, since load_best_model_at_end is on',
    ],
    [
      'training: {lr_scheduler_type: cosine_with_min_lr}',
      'training.lr_scheduler_kwargs is missing, expected one of min_lr and min_lr_rate with the schedule cosine_with_min_lr',
    ],
    [
      'training: {lr_scheduler_kwargs: {num_cycles: 2}}',
      'training.lr_scheduler_kwargs is {"num_cycles":2}, expected none with the schedule linear',
    ],
    [
      'training: {neftune_noise_alpha: 5}',
      'training.neftune_noise_alpha is 5, expected 0, since no noise is added',
    ],
    [
      'training: {group_by_length: true}',
      'training.group_by_length is true, expected it to be unset, since rows come',
    ],
    ['training: {data_seed: 7}', 'training.data_seed is 7, expected 42, since rows are shuffled by seed'],
    ['quantization: {load_in_8bit: true}', 'quantization.load_in_8bit is true, expected false'],
    ['lora: {rank_pattern: {q_proj: 4}}', 'lora.rank_pattern is {"q_proj":4}, expected it to be unset'],
    ['training:\n  max_seq_length: 1', 'training.max_seq_length is 1, expected a whole number at least 2'],
    [
      'training:\n  max_eval_samples: 0',
      'training.max_eval_samples is 0, expected a whole number at least 1',
    ],
    [
      'training:\n  lr_scheduler_type: reduce_lr_on_plateau',
      'training.lr_scheduler_type is "reduce_lr_on_plateau", expected one of linear, cosine, cosine_with_restarts, ' +
        'cosine_with_min_lr, polynomial, inverse_sqrt, constant, constant_with_warmup',
    ],
    [
      'training:\n  optim: sgd',
      'training.optim is "sgd", expected one of paged_adamw_8bit, adamw_8bit, adamw_bnb_8bit, adamw_torch, adamw_torch_fused, paged_adamw_32bit',
    ],
    ['training: [1]', 'training is [1], expected keys and values'],
    ['lora:\n  r: 0', 'lora.r is 0, expected a whole number at least 1'],
    ['lora:\n  lora_dropout: 1', 'lora.lora_dropout is 1, expected a number at least 0 and below 1'],
    ['lora:\n  target_modules: []', 'lora.target_modules is [], expected a list of names or one text'],
    ['lora:\n  use_rslora: 1', 'lora.use_rslora is 1, expected true or false'],
    ['lora:\n  use_dora: true', 'lora.use_dora is true, expected it to be unset'],
    ['lora:\n  bias: all', 'lora.bias is "all", expected none'],
    ['lora:\n  lora_bias: true', 'lora.lora_bias is true, expected it to be unset'],
    ['lora:\n  modules_to_save: [lm_head]', 'lora.modules_to_save is ["lm_head"], expected it to be unset'],
    [
      'lora:\n  init_lora_weights: pissa_niter_4',
      'lora.init_lora_weights is "pissa_niter_4", expected true, false, gaussian, eva or orthogonal',
    ],
    ['quantization:\n  load_in_4bit: no', 'quantization.load_in_4bit is false, expected true'],
    ['quantization:\n  bnb_4bit_quant_type: fp4', 'quantization.bnb_4bit_quant_type is "fp4", expected nf4'],
    ['model:\n  name: 5', 'model.name is 5, expected text'],
    ['seed: -1', 'seed is -1, expected a whole number at least 0 and at most 4294967295'],
    ['just text', 'it holds "just text", expected keys and values'],
    ['a: 1\na: 2', 'not valid YAML: the key "a" occurs twice at line 2, column 1'],
    ['a: [1', 'not valid YAML: Flow sequence in block collection must be sufficiently indented'],
  ])('%j', (text, sentence) => {
    expect(() => parse(text)).toThrow(`${FILE}: ${sentence}`);
    expect(() => parse(text)).toThrow(/; correct the file\.$/);
  });
});

describe('a setting where it would not be read is refused with its place', () => {
  test.each([
    ['training: {save_steps: 3}\nlearning_rate: 1e-4', 'learning_rate belongs under training'],
    ['learning_rate: 1e-4', 'learning_rate belongs under training'],
    ['training: {r: 8}', 'training.r: r belongs under lora'],
    ['lora: {max_length: 8}', 'lora.max_length: max_length belongs under training'],
    ['training: {seed: 8}', 'training.seed: seed belongs at the top level'],
    ['lora: {load_in_4bit: true}', 'lora.load_in_4bit: load_in_4bit belongs under quantization'],
  ])('%j', (text, sentence) => {
    expect(() => parse(text)).toThrow(`${FILE}: ${sentence}; move it there.`);
  });

  test.each([
    ['training: {learning_rte: 1e-4}', 'training.learning_rte is not known, did you mean learning_rate?'],
    [
      'training: {num_train_epoch: 1}',
      'training.num_train_epoch is not known, did you mean num_train_epochs?',
    ],
    ['lora: {lora_aplha: 1}', 'lora.lora_aplha is not known, did you mean lora_alpha?'],
    ['training: {num_epochs: 1}', 'training.num_epochs is not known, did you mean num_train_epochs?'],
    ['training: {lr: 1}', 'training.lr is not known, did you mean learning_rate?'],
    ['lora: {rank: 8}', 'lora.rank is not known, did you mean r?'],
  ])('a misspelt one is refused: %j', (text, sentence) => {
    expect(() => parse(text)).toThrow(`${FILE}: ${sentence}; correct or remove it.`);
  });
});

test('of several names within reach the nearest is meant', () => {
  const names = new Set(['learning_ratio', 'learning_rate', 'learning_rates']);
  expect(nearest('learning_ratee', names)).toBe('learning_rate');
  expect(nearest('learning_ratix', names)).toBe('learning_ratio');
  expect(nearest('learning', names)).toBeUndefined();
});

test('settings that do not go together are told', () => {
  const recipe = defaultRecipe();
  expect(recipeProblem(recipe)).toBeUndefined();
  const training = { ...recipe.training, schedule: 'cosine_with_min_lr' as const };
  expect(recipeProblem({ ...recipe, training })).toMatch(/^Recipe: training\.lr_scheduler_kwargs is missing/);
});

describe('writing', () => {
  test.each([
    ['the defaults', ''],
    ['the text fixture', fixture('recipe_text')],
    ['the chat fixture', fixture('chat_messages')],
    [
      'everything unusual',
      'a: {b: [1, yes]}\nseed: 0\nlora: {target_modules: all-linear, lora_alpha: 0.5, use_rslora: true, x: "5e-5"}\n' +
        'training: {learning_rate: 1e-9, max_eval_samples: 3, optim: adamw_8bit, eval_strategy: "no", bf16: yes}\n',
    ],
    [
      'every new setting',
      'training: {max_steps: 7, adam_beta1: 0.8, adam_beta2: 0.95, adam_epsilon: 1e-6, max_grad_norm: null, ' +
        'lr_scheduler_type: polynomial, lr_scheduler_kwargs: {power: 2}, logging_strategy: epoch, save_strategy: epoch, ' +
        'eval_strategy: epoch, logging_first_step: true, eval_on_start: true, save_total_limit: null, val_size: 0.1, ' +
        'max_train_samples: 9, load_best_model_at_end: true, metric_for_best_model: loss, greater_is_better: true, ' +
        'save_best: true, early_stopping_patience: 2, early_stopping_threshold: 0.01, ' +
        'sample_prompts: ["Why?", "What\\nis it: no?"], sample_max_new_tokens: 9, ' +
        'max_seq_length: null, warmup_steps: 0.1, eval_steps: 0.5}',
    ],
  ])('%s parse back to the same recipe', (_, text) => {
    const { recipe, warnings } = parse(text);
    const written = recipeToYaml(recipe);
    expect(parse(written)).toEqual({ recipe, warnings });
    expect(recipeToYaml(parse(written).recipe)).toBe(written);
  });

  test('names every setting', () => {
    const text = recipeToYaml(defaultRecipe());
    expect(text).toContain('bnb_4bit_quant_type: nf4');
    expect(text).toContain('  learning_rate: 0.00005\n');
    expect(text).toContain('seed: 42');
  });
});
