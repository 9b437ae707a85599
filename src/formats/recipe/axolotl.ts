import { Fields, isRecord } from '../fields.ts';
import { readSettings } from '../setting.ts';
import { HARMLESS, KEYS, NAMES, PLACES, SOURCES, VARIANTS } from './axolotl-keys.ts';
import { refuseAllAsCount } from './llama-factory.ts';
import { readQuantization } from './nested.ts';
import { RECIPE, type TrainingSettings } from './settings.ts';
import { type Tool, TRANSFORMERS } from './tool.ts';
import { readTraining, type TrainingDefaults } from './training.ts';
import { isUnset, refuseSet, variant } from './variants.ts';

/** axolotl's YAML. Reference: axolotl, src/axolotl/utils/schemas and src/axolotl/core/builders (0.13). */
export const AXOLOTL: Tool = {
  name: 'axolotl',
  transformers: false,
  names: NAMES,
  sources: SOURCES,
  keys: KEYS,
  variants: VARIANTS,
  places: PLACES,
  harmless: HARMLESS,
  read(given, raw) {
    // As there, null says no more than leaving a key out.
    const values = Object.fromEntries(Object.entries(raw.values).filter(([, value]) => value !== null));
    const own = new Fields(raw.file, values);
    const file = own.renamed(NAMES);
    checkBase(own);
    checkDatasets(own);
    const { training, notes } = readAxolotlTraining(file, own);
    const recipe = {
      model: readSettings(file, RECIPE.model),
      lora: readTargets(file, own),
      quantization: readQuantization(file),
      training,
    };
    // What was looked at here was read.
    for (const key of own.asked()) {
      raw.value(key);
    }
    void given;
    return { recipe, notes };
  },
};

/** The base must be kept in NF4, and an adapter trained. */
function checkBase(own: Fields): void {
  if (!['lora', 'qlora'].includes(own.value('adapter') as string)) {
    own.refuse('adapter', 'lora or qlora, since only LoRA adapters are trained here');
  }
  if (own.value('load_in_4bit') !== true) {
    own.refuse('load_in_4bit', 'true, since the base is always kept in 4 bits');
  }
  const kwargs = own.section('bnb_config_kwargs');
  kwargs.choice('bnb_4bit_quant_type', ['nf4'], 'nf4');
  if (!kwargs.boolean('bnb_4bit_use_double_quant', true)) {
    kwargs.refuse('bnb_4bit_use_double_quant', 'true, since it is what axolotl does otherwise');
  }
}

/** What a dataset's own settings say of which tokens are trained. */
function checkDatasets(own: Fields): void {
  const datasets = own.values['datasets'];
  if (!Array.isArray(datasets)) {
    return;
  }
  for (const [i, dataset] of datasets.entries()) {
    if (!isRecord(dataset)) {
      continue;
    }
    const fields = new Fields(own.file, dataset, `datasets[${i}].`);
    const roles = [dataset['roles_to_train']].flat().filter((role) => role !== undefined && role !== null);
    if (roles.some((role) => !['assistant', 'gpt', 'model'].includes(role as string))) {
      fields.refuse('roles_to_train', 'assistant, since only its turns are trained here');
    }
    refuseSet(fields, {
      train_on_inputs: variant('prompts are not trained here'),
      train_on_eos: variant('the end of every trained turn is trained', 'turn'),
      message_field_training_detail: variant('turns are trained whole'),
    });
  }
}

function readTargets(file: Fields, own: Fields) {
  const linear = own.boolean('lora_target_linear', false);
  if (!linear && isUnset(own.value('lora_target_modules'))) {
    own.refuse('lora_target_modules', 'names, or lora_target_linear: true');
  }
  if (!own.has('lora_r')) {
    own.refuse('lora_r', 'a whole number at least 1');
  }
  if (!own.has('lora_alpha')) {
    own.refuse('lora_alpha', 'a number above 0');
  }
  const lora = readSettings(linear ? file.renamed({ ...NAMES, target_modules: null }) : file, RECIPE.lora);
  return linear ? { ...lora, targetModules: 'all-linear' } : lora;
}

function readAxolotlTraining(file: Fields, own: Fields): { training: TrainingSettings; notes: string[] } {
  const notes: string[] = [];
  if (!own.has('learning_rate')) {
    own.refuse('learning_rate', 'a number above 0');
  }
  refuseAllAsCount(file);
  const batch = own.number('micro_batch_size', { whole: true, min: 1 }, 1);
  checkBatch(own, batch);
  const epochs = own.number('num_epochs', { above: 0 }, 1);
  const save = everyPartOfEpoch(own, 'saves_per_epoch', epochs);
  const evaluate = everyPartOfEpoch(own, 'evals_per_epoch', epochs);
  if (own.has('evals_per_epoch') && own.has('eval_steps')) {
    own.refuse('evals_per_epoch', 'it to be unset beside eval_steps, as in axolotl');
  }
  if (own.has('saves_per_epoch') && own.has('save_steps')) {
    own.refuse('saves_per_epoch', 'it to be unset beside save_steps, as in axolotl');
  }
  const warm = own.has('warmup_steps') || own.has('warmup_ratio');
  if (!warm) {
    notes.push(
      'Neither warmup_steps nor warmup_ratio is set: 3 % of the steps warm up, in axolotl at most 100 of them.',
    );
  } else if (own.has('warmup_ratio')) {
    notes.push('warmup_ratio: a part of a step counts as a step; axolotl drops it.');
  }
  notes.push(
    'Rows longer than sequence_len are cut; axolotl leaves them out unless excess_length_strategy is truncate.',
  );
  if (own.has('excess_length_strategy')) {
    notes.pop();
  }
  if (own.has('chat_template') && own.value('chat_template') !== 'tokenizer_default') {
    notes.push(
      'chat_template is not used: the chat template of the base counts, which should mean the same.',
    );
  }
  const tokens = own.values['special_tokens'];
  if (isRecord(tokens) && Object.keys(tokens).some((key) => key !== 'pad_token' && !isUnset(tokens[key]))) {
    notes.push('special_tokens are not used: those of the base count.');
  }
  if (!isUnset(own.values['loss_watchdog_threshold'])) {
    notes.push('loss_watchdog_threshold is not used: a run ends where its loss is no number any more.');
  }
  if (!isUnset(own.values['plugins'])) {
    notes.push('plugins are not used; those for speed and memory change nothing in the training.');
  }
  if (own.has('early_stopping_patience') && own.value('load_best_model_at_end') !== true) {
    notes.push(
      'early_stopping_patience: the result is the adapter of the last step unless load_best_model_at_end is true.',
    );
  }
  if (own.value('sample_packing') === true) {
    notes.push(
      'sample_packing: rows are packed best fit decreasing; axolotl packs other rows together. Rows to evaluate on are not packed.',
    );
  }
  const given = { ...own.values };
  if (save !== undefined) {
    given['save_steps'] = save;
  }
  if (evaluate !== undefined) {
    given['eval_steps'] = evaluate;
  }
  // As there, steps win over a strategy, which is by epochs by default.
  const bySteps = (key: string) => !isUnset(given[`${key}_steps`]);
  for (const key of ['save', 'eval']) {
    if (bySteps(key)) {
      given[`${key}_strategy`] = 'steps';
    }
  }
  const ratio = own.has('cosine_min_lr_ratio')
    ? own.number('cosine_min_lr_ratio', { min: 0, max: 1 })
    : undefined;
  const schedule = own.value('lr_scheduler') ?? 'cosine';
  if (ratio !== undefined && ratio > 0) {
    if (schedule !== 'cosine') {
      own.refuse('lr_scheduler', 'cosine, since cosine_min_lr_ratio is set');
    }
    given['lr_scheduler'] = 'cosine_with_min_lr';
    given['lr_scheduler_kwargs'] = { min_lr_rate: ratio };
  }
  const defaults: TrainingDefaults = {
    ...TRANSFORMERS,
    epochs: 1,
    batchSize: 1,
    evalBatchSize: batch,
    schedule: 'cosine',
    maxLength: 512,
    warmupRatio: warm ? 0 : 0.03,
    saveTotalLimit: 4,
    ...(!bySteps('save') && { saveStrategy: 'epoch' as const }),
    ...(!bySteps('eval') && { evalStrategy: 'epoch' as const }),
    ...((bySteps('eval') || own.has('eval_strategy')) && { evalOnStart: true as const }),
  };
  // 0 counts as not set there.
  if (given['save_total_limit'] === 0) {
    delete given['save_total_limit'];
  }
  const fields = new Fields(own.file, given).renamed(NAMES);
  const training = readTraining(fields, defaults);
  for (const key of fields.asked()) {
    if (Object.hasOwn(own.values, key)) {
      own.value(key);
    }
  }
  // There, one step of warmup is made two.
  return { training: training.warmupSteps === 1 ? { ...training, warmupSteps: 2 } : training, notes };
}

/** batch_size says all rows of a step. */
function checkBatch(own: Fields, micro: number): void {
  if (!own.has('batch_size')) {
    return;
  }
  const accumulation = own.number('gradient_accumulation_steps', { whole: true, min: 1 }, 1);
  if (own.number('batch_size', { whole: true, min: 1 }) !== micro * accumulation) {
    own.refuse(
      'batch_size',
      `${micro * accumulation}, which is micro_batch_size times gradient_accumulation_steps`,
    );
  }
}

/** Steps as a share of all; undefined where the recipe does not give one. */
function everyPartOfEpoch(own: Fields, key: string, epochs: number): number | undefined {
  if (!own.has(key)) {
    return undefined;
  }
  const share = 1 / (own.number(key, { whole: true, min: 1 }) * epochs);
  return share < 1 ? share : undefined;
}
