/**
 * What one setting is called by transformers, PEFT and TRL, by LLaMA-Factory and axolotl, and by people. References:
 * axolotl, src/axolotl/utils/schemas; LLaMA-Factory, src/llamafactory/hparams.
 */
const SETTINGS = [
  'num_train_epochs num_epochs n_epochs epochs epoch',
  'max_steps num_steps total_steps',
  'learning_rate lr',
  'per_device_train_batch_size micro_batch_size train_batch_size batch_size',
  'per_device_eval_batch_size eval_batch_size',
  'gradient_accumulation_steps accumulation_steps grad_accum_steps gradient_accumulation',
  'max_seq_length cutoff_len sequence_len max_length max_seq_len model_max_length seq_length',
  'optim optimizer',
  'lr_scheduler_type lr_scheduler scheduler schedule',
  'warmup_steps num_warmup_steps',
  'max_grad_norm gradient_clipping grad_clip clip_grad_norm',
  'save_total_limit keep_checkpoints',
  'val_size val_set_size test_split_size test_size',
  'early_stopping_patience early_stopping_steps patience',
  'r lora_r lora_rank rank',
  'lora_alpha alpha',
  'lora_dropout dropout',
  'target_modules lora_target_modules lora_target',
  'use_rslora rslora peft_use_rslora',
  'bnb_4bit_use_double_quant use_bnb_nested_quant double_quantization use_double_quant',
  'packing sample_packing neat_packing',
].map((names) => names.split(' '));

/** The one of `names` that is the same setting as `key`, which is none of them. */
export function otherName(key: string, names: ReadonlySet<string>): string | undefined {
  const same = SETTINGS.find((all) => all.includes(key));
  return same?.find((name) => names.has(name));
}
