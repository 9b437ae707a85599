// Reference: axolotl, docs/dataset-formats/tokenized.qmd and src/axolotl/utils/schemas.
import type { AdapterConfig } from '../formats/adapter-config.ts';
import type { Recipe } from '../formats/recipe.ts';
import { writeYaml } from '../formats/yaml.ts';
import { trainingArguments } from './arguments.ts';

/** What axolotl calls transformers' arguments. */
const NAMES: Readonly<Record<string, string>> = {
  num_train_epochs: 'num_epochs',
  per_device_train_batch_size: 'micro_batch_size',
  per_device_eval_batch_size: 'eval_batch_size',
  optim: 'optimizer',
  lr_scheduler_type: 'lr_scheduler',
};
/** Arguments that axolotl has no key for. */
const UNKNOWN: ReadonlySet<string> = new Set(['logging_strategy', 'logging_first_step', 'eval_on_start']);

/** axolotl's configuration of the same training, for one GPU, over the same rows. */
export function axolotlConfig(run: {
  recipe: Recipe;
  config: AdapterConfig;
  base: string;
  train: string;
  validation: string | undefined;
  longest: number;
}): string {
  const { recipe, config, base, train, validation, longest } = run;
  const { r, loraAlpha, loraDropout, useRslora, targetModules } = config;
  const { eval_strategy, eval_steps, warmup_steps, ...others } = trainingArguments(
    recipe,
    validation !== undefined,
  );
  // There, a share of the steps has a key of its own.
  const warmup = Number(warmup_steps) >= 1 ? { warmup_steps } : { warmup_ratio: warmup_steps };
  const evaluation = validation === undefined ? {} : { eval_strategy, eval_steps };
  const training = Object.entries({ ...others, ...warmup, ...evaluation }).filter(
    ([key, value]) => !UNKNOWN.has(key) && value !== null,
  );
  // Without a type, rows are taken as the tokens and labels that they are.
  const rows = (path: string) => [{ path, ds_type: 'parquet', type: null }];
  return writeYaml({
    base_model: base,
    load_in_4bit: true,
    adapter: 'qlora',
    lora_model_dir: './adapter',
    lora_r: r,
    lora_alpha: loraAlpha,
    lora_dropout: loraDropout,
    ...(targetModules === 'all-linear'
      ? { lora_target_linear: true }
      : { lora_target_modules: targetModules }),
    ...(useRslora && { peft_use_rslora: true }),
    ...(!recipe.quantization.useDoubleQuant && {
      bnb_config_kwargs: { bnb_4bit_use_double_quant: false },
    }),
    datasets: rows(train),
    ...(validation !== undefined && { test_datasets: rows(validation) }),
    val_set_size: 0,
    sequence_len: longest,
    sample_packing: false,
    ...Object.fromEntries(training.map(([key, value]) => [NAMES[key] ?? key, value])),
    bf16: 'auto',
    gradient_checkpointing: true,
    output_dir: './output-axolotl',
  });
}
