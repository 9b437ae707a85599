import type { Fields } from '../fields.ts';
import { isRecord } from '../fields.ts';

/** Why a key that is set would train something else than is trained here, and the values with which it would not. */
interface Variant {
  readonly why: string;
  readonly but?: readonly unknown[];
}

export type Variants = Readonly<Record<string, Variant>>;

export const variant = (why: string, ...but: unknown[]): Variant => ({ why, but });

/** Refuses by name whatever is set and would change the training. Throws UserError. */
export function refuseSet(file: Fields, variants: Variants): void {
  for (const [key, { why, but = [] }] of Object.entries(variants)) {
    const value = file.value(key);
    if (isUnset(value) || but.includes(value)) {
      continue;
    }
    const expected = but.length > 0 ? but.map(String).join(' or ') : 'it to be unset';
    file.refuse(key, `${expected}, since ${why}`);
  }
}

/** Absent, null, false or empty: what a key that is written out without a wish looks like. */
export function isUnset(value: unknown): boolean {
  if (Array.isArray(value) || value === '') {
    return value.length === 0;
  }
  return value === undefined || value === null || value === false || isEmptyRecord(value);
}

const isEmptyRecord = (value: unknown): boolean => isRecord(value) && Object.keys(value).length === 0;

/** Settings of transformers' TrainingArguments that would change the training of a run with this seed. */
export const trainingVariants = (seed: number): Variants => ({
  neftune_noise_alpha: variant('no noise is added to embeddings here', 0),
  label_smoothing_factor: variant('labels are not smoothed here', 0),
  optim_args: variant('the optimizer takes no other options than adam_beta1, adam_beta2 and adam_epsilon'),
  optim_target_modules: variant('the optimizer trains all of the adapter'),
  adafactor: variant('the optimizer is AdamW'),
  group_by_length: variant('rows come in random order here'),
  train_sampling_strategy: variant('rows come in random order here', 'random'),
  sortish_sampler: variant('rows come in random order here'),
  dataloader_drop_last: variant('every row is trained here'),
  data_seed: variant('rows are shuffled by seed', seed),
  eval_delay: variant('evaluations begin with the first that is due', 0),
  split_batches: variant('one GPU trains here'),
});

/** Settings of PEFT's LoraConfig, beside those that refuseVariants knows, that would make another new adapter. */
export const LORA_VARIANTS: Variants = Object.fromEntries(
  [
    'rank_pattern',
    'alpha_pattern',
    'layers_to_transform',
    'layers_pattern',
    'exclude_modules',
    'loftq_config',
    'eva_config',
    'corda_config',
    'lora_ga_config',
    'megatron_config',
  ].map((key) => [key, variant('a new adapter has one shape in all layers here')]),
);
