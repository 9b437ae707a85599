import { describe, expect, test } from 'vitest';
import { defaultRecipe, parseRecipe, recipeToYaml } from '../../../src/formats/recipe.ts';
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

  test('unknown keys are named and kept; keys for compatibility are kept only', () => {
    const { recipe, warnings } = parse(
      'training:\n  bf16: true\n  group_by_length: true\nwandb: {project: x}\nmodel:\n  cache_dir: /tmp\n',
    );
    expect(warnings).toEqual([
      `${FILE}: wandb is not known and has no effect.`,
      `${FILE}: training.group_by_length is not known and has no effect.`,
    ]);
    expect(recipe.rest).toEqual({
      wandb: { project: 'x' },
      'model.cache_dir': '/tmp',
      'training.bf16': true,
      'training.group_by_length': true,
    });
  });
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
    ['training:\n  warmup_steps: 0.1', 'training.warmup_steps is 0.1, expected a whole number at least 0'],
    ['training:\n  max_seq_length: 1', 'training.max_seq_length is 1, expected a whole number at least 2'],
    [
      'training:\n  max_eval_samples: 0',
      'training.max_eval_samples is 0, expected a whole number at least 1',
    ],
    [
      'training:\n  lr_scheduler_type: polynomial',
      'training.lr_scheduler_type is "polynomial", expected one of linear, cosine, constant, constant_with_warmup',
    ],
    [
      'training:\n  optim: sgd',
      'training.optim is "sgd", expected one of paged_adamw_8bit, adamw_8bit, adamw_bnb_8bit',
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
