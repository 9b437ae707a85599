import { Fields, isRecord } from '../fields.ts';
import { refuseAllAsCount } from './llama-factory.ts';
import { readLora } from './lora.ts';
import { readQuantization } from './nested.ts';
import { keySet, TRANSFORMERS, type Tool } from './tool.ts';
import { readTraining, type TrainingDefaults, type TrainingSettings } from './training.ts';
import { isUnset, refuseSet, variant, type Variants } from './variants.ts';

const HARMLESS = keySet(`
  strict embeddings_skip_upcast mean_resizing_embeddings shrink_embeddings vllm trl quantization dynamic_checkpoint
  shuffle_merged_datasets shuffle_before_merging_datasets dataset_shard_num dataset_shard_idx skip_prepare_dataset
  num_dataset_shards_to_save dataset_processes dataset_num_proc dataset_keep_in_memory hf_use_auth_token device
  device_map world_size local_rank ddp do_causal_lm_eval eval_causal_lm_metrics do_bench_eval bench_split gc_steps
  gc_collect_steps bfloat16 float16 float32 selective_checkpointing activation_offloading layer_offloading
  freeze_mm_modules sample_packing_group_size sample_packing_bin_size sample_packing_sequentially
  sample_packing_mp_start_method sample_packing_eff_est eval_sample_packing pad_to_sequence_len pad_to_multiple_of
  multipack_real_batches batch_flattening streaming_multipack_buffer_size xformers_attention sdp_attention
  flex_attention flex_attn_compile_kwargs flash_attention flash_attn_cross_entropy flash_attn_fuse_mlp
  flash_attn_rms_norm flash_optimum sage_attention eager_attention attn_implementation large_head_attention sdpa_varlen
  fused_attn_kernel experts_implementation lora_mlp_kernel lora_qkv_kernel lora_o_kernel lora_embedding_kernel
  chunked_cross_entropy chunked_cross_entropy_num_chunks eaft_alpha eaft_k tiled_mlp tiled_mlp_num_shards
  tiled_mlp_use_original_mlp deepcompile fp32_norms fp32_norm_classes dp_shard_size dp_replicate_size
  sequence_parallel_degree context_parallel_size heads_k_stride ring_attn_func tensor_parallel_size save_first_step
  use_tensorboard profiler_steps profiler_steps_start include_tkps max_memory gpu_memory_limit low_cpu_mem_usage
  is_preprocess preprocess_iterable total_num_tokens total_supervised_tokens axolotl_config_path
  is_falcon_derived_model is_llama_derived_model is_mistral_derived_model is_qwen_derived_model generate_samples
  num_generation_samples generation_max_new_tokens generation_temperature generation_top_p generation_top_k
  generation_prompt_ratio generation_do_sample eval_table_size eval_max_new_tokens use_wandb use_mlflow use_comet
  use_trackio use_otel_metrics use_ray ray_num_workers resources_per_worker hf_mlflow_log_artifacts qlora_sharded_model_loading
  lora_on_cpu merge_lora merge_method loraplus_lr_embedding peft_autocast_adapter_dtype peft_ensure_weight_tying
  lora_fan_in_fan_out model_type tokenizer_type tokenizer_use_fast tokenizer_legacy tokenizer_save_jinja_files
  tokenizer_use_mistral_common processor_type processor_kwargs cls_model_config revision_of_model model_revision
  experimental_skip_move_to_device use_kernels debug loraplus_lr_embedding saves_per_epoch evals_per_epoch
  save_safetensors eval_batch_size min_sample_len max_prompt_len plugins liger_rope liger_rms_norm liger_glu_activation
  liger_layer_norm liger_cross_entropy liger_fused_linear_cross_entropy liger_swiglu cut_cross_entropy image_size
  image_resize_algorithm tf32 special_tokens loss_watchdog_threshold loss_watchdog_patience`);

const PLACES = keySet(`
  base_model base_model_config tokenizer_config datasets test_datasets dataset_prepared_path push_dataset_to_hub
  output_dir lora_model_dir resume_from_checkpoint auto_resume_from_checkpoints hub_model_id bench_dataset`);

const OTHER_OPTIMIZER = 'the optimizer is AdamW over all of the adapter';
const OTHER_SCHEDULE = 'the schedules are those of transformers';
const OTHER_TOKENS = 'the base’s own tokenizer and chat template count';
const OTHER_TRAINING = 'only supervised fine-tuning is done here';
const OTHER_LORA = 'a new adapter is plain LoRA of one shape in all layers';
const OTHER_ROWS = 'every row of the file is trained as it stands';

const byReason = (why: string, keys: string): Variants =>
  Object.fromEntries([...keySet(keys)].map((key) => [key, variant(why)]));

const VARIANTS: Variants = {
  ...byReason(
    OTHER_TRAINING,
    `rl reward_model process_reward_model ebft trainer_cls pretraining_dataset relora jagged_restart_steps
     lisa_n_layers lisa_step_interval qat dpo_beta rl_beta orpo_alpha simpo_gamma cpo_alpha kto_desirable_weight
     kto_undesirable_weight dpo_loss_type precompute_ref_log_probs center_rewards_coefficient use_eaft`,
  ),
  ...byReason(
    OTHER_LORA,
    `lora_modules_to_save lora_target_parameters lora_rank_pattern lora_alpha_pattern peft peft_use_dora
     peft_layers_to_transform peft_layers_pattern peft_layer_replication peft_trainable_token_indices
     loraplus_lr_ratio unfrozen_parameters`,
  ),
  ...byReason(
    OTHER_SCHEDULE,
    'lr_quadratic_warmup cosine_constant_lr_ratio lr_div_factor lr_groups embedding_lr embedding_lr_scale',
  ),
  ...byReason(OTHER_OPTIMIZER, 'optim_target_modules torchdistx_path adam_epsilon2 adam_beta3'),
  ...byReason(
    OTHER_TOKENS,
    `tokens added_tokens_overrides chat_template_jinja chat_template_kwargs default_system_message eot_tokens
     fix_untrained_tokens resize_token_embeddings_to_32x`,
  ),
  ...byReason(
    OTHER_ROWS,
    'dataset_exact_deduplication streaming curriculum_sampling pretraining_sample_concatenation',
  ),
  ...byReason(
    'the base is computed as its own config.json says',
    `overrides_of_model_config model_config overrides_of_model_kwargs model_kwargs rope_scaling use_pose
     scaling_softmax reinit_weights s2_attention noisy_embedding_alpha`,
  ),
  ...byReason(
    'the base is kept in NF4',
    'gptq model_quantization_config use_onebitllms fp8 quantize_moe_experts load_in_8bit',
  ),
  peft_init_lora_weights: variant(OTHER_LORA, true),
  train_on_inputs: variant('prompts are not trained here'),
  eval_sequence_len: variant('rows to evaluate on are cut as the others are'),
  early_stopping_patience: variant('a run ends with its last step'),
  excess_length_strategy: variant('rows that are too long are cut here', 'truncate'),
};

/** axolotl's YAML. Reference: axolotl, src/axolotl/utils/schemas and src/axolotl/core/builders (0.13). */
export const AXOLOTL: Tool = {
  name: 'axolotl',
  transformers: false,
  names: {
    num_train_epochs: 'num_epochs',
    per_device_train_batch_size: 'micro_batch_size',
    per_device_eval_batch_size: 'eval_batch_size',
    optim: 'optimizer',
    lr_scheduler_type: 'lr_scheduler',
    max_seq_length: 'sequence_len',
    max_length: null,
    val_size: 'val_set_size',
    packing: 'sample_packing',
    max_train_samples: null,
    max_eval_samples: null,
    logging_strategy: null,
    logging_first_step: null,
    eval_on_start: null,
    r: 'lora_r',
    target_modules: 'lora_target_modules',
    use_rslora: 'peft_use_rslora',
    bnb_4bit_use_double_quant: null,
    bnb_4bit_quant_type: null,
    name: 'base_model',
  },
  sources: {
    lr_scheduler_kwargs: ['cosine_min_lr_ratio'],
    save_steps: ['saves_per_epoch'],
    eval_steps: ['evals_per_epoch'],
    target_modules: ['lora_target_linear'],
    bnb_4bit_use_double_quant: ['bnb_config_kwargs'],
  },
  keys: new Set([
    ...keySet(`adapter load_in_4bit load_in_8bit lora_r lora_alpha lora_dropout lora_target_modules lora_target_linear
      peft_use_rslora sequence_len sample_packing micro_batch_size gradient_accumulation_steps batch_size num_epochs
      max_steps optimizer lr_scheduler lr_scheduler_kwargs cosine_min_lr_ratio learning_rate weight_decay max_grad_norm
      adam_beta1 adam_beta2 adam_epsilon warmup_steps warmup_ratio val_set_size eval_steps eval_strategy save_steps
      save_strategy save_total_limit logging_steps load_best_model_at_end metric_for_best_model greater_is_better seed
      chat_template bnb_config_kwargs eval_sequence_len`),
    ...HARMLESS,
    ...PLACES,
    ...Object.keys(VARIANTS),
  ]),
  variants: VARIANTS,
  places: PLACES,
  harmless: HARMLESS,
  read(given, raw) {
    // As there, null says no more than leaving a key out.
    const values = Object.fromEntries(Object.entries(raw.values).filter(([, value]) => value !== null));
    const own = new Fields(raw.file, values);
    const file = own.renamed(AXOLOTL.names);
    checkBase(own);
    checkDatasets(own);
    const { training, notes } = readAxolotlTraining(file, own);
    const recipe = {
      model: { name: file.string('name', '') },
      lora: readTargets(file, own),
      quantization: readQuantization(file),
      training,
      seed: own.number('seed', {}, 42),
    };
    // What was looked at here was read.
    for (const key of own.asked()) raw.value(key);
    void given;
    return { recipe, notes };
  },
};

/** The base must be kept in NF4, and an adapter trained. */
function checkBase(own: Fields): void {
  if (!['lora', 'qlora'].includes(own.value('adapter') as string))
    own.refuse('adapter', 'lora or qlora, since only LoRA adapters are trained here');
  if (own.value('load_in_4bit') !== true)
    own.refuse('load_in_4bit', 'true, since the base is always kept in 4 bits');
  const kwargs = own.section('bnb_config_kwargs');
  kwargs.choice('bnb_4bit_quant_type', ['nf4'], 'nf4');
  if (!kwargs.boolean('bnb_4bit_use_double_quant', true))
    kwargs.refuse('bnb_4bit_use_double_quant', 'true, since it is what axolotl does otherwise');
}

/** What a dataset's own settings say of which tokens are trained. */
function checkDatasets(own: Fields): void {
  const datasets = own.values['datasets'];
  if (!Array.isArray(datasets)) return;
  for (const [i, dataset] of datasets.entries()) {
    if (!isRecord(dataset)) continue;
    const fields = new Fields(own.file, dataset, `datasets[${i}].`);
    const roles = [dataset['roles_to_train']].flat().filter((role) => role !== undefined && role !== null);
    if (roles.some((role) => !['assistant', 'gpt', 'model'].includes(role as string)))
      fields.refuse('roles_to_train', 'assistant, since only its turns are trained here');
    refuseSet(fields, {
      train_on_inputs: variant('prompts are not trained here'),
      train_on_eos: variant('the end of every trained turn is trained', 'turn'),
      message_field_training_detail: variant('turns are trained whole'),
    });
  }
}

function readTargets(file: Fields, own: Fields) {
  const linear = own.boolean('lora_target_linear', false);
  if (!linear && isUnset(own.value('lora_target_modules')))
    own.refuse('lora_target_modules', 'names, or lora_target_linear: true');
  if (!own.has('lora_r')) own.refuse('lora_r', 'a whole number at least 1');
  if (!own.has('lora_alpha')) own.refuse('lora_alpha', 'a number above 0');
  const lora = readLora(linear ? file.renamed({ ...AXOLOTL.names, target_modules: null }) : file);
  return linear ? { ...lora, targetModules: 'all-linear' } : lora;
}

function readAxolotlTraining(file: Fields, own: Fields): { training: TrainingSettings; notes: string[] } {
  const notes: string[] = [];
  if (!own.has('learning_rate')) own.refuse('learning_rate', 'a number above 0');
  refuseAllAsCount(file);
  const batch = own.number('micro_batch_size', { whole: true, min: 1 }, 1);
  checkBatch(own, batch);
  const epochs = own.number('num_epochs', { above: 0 }, 1);
  const save = everyPartOfEpoch(own, 'saves_per_epoch', epochs);
  const evaluate = everyPartOfEpoch(own, 'evals_per_epoch', epochs);
  if (own.has('evals_per_epoch') && own.has('eval_steps'))
    own.refuse('evals_per_epoch', 'it to be unset beside eval_steps, as in axolotl');
  if (own.has('saves_per_epoch') && own.has('save_steps'))
    own.refuse('saves_per_epoch', 'it to be unset beside save_steps, as in axolotl');
  const warm = own.has('warmup_steps') || own.has('warmup_ratio');
  if (!warm)
    notes.push(
      'Neither warmup_steps nor warmup_ratio is set: 3 % of the steps warm up, in axolotl at most 100 of them.',
    );
  else if (own.has('warmup_ratio'))
    notes.push('warmup_ratio: a part of a step counts as a step; axolotl drops it.');
  notes.push(
    'Rows longer than sequence_len are cut; axolotl leaves them out unless excess_length_strategy is truncate.',
  );
  if (own.has('excess_length_strategy')) notes.pop();
  if (own.has('chat_template') && own.value('chat_template') !== 'tokenizer_default')
    notes.push(
      'chat_template is not used: the chat template of the base counts, which should mean the same.',
    );
  const tokens = own.values['special_tokens'];
  if (isRecord(tokens) && Object.keys(tokens).some((key) => key !== 'pad_token' && !isUnset(tokens[key])))
    notes.push('special_tokens are not used: those of the base count.');
  if (!isUnset(own.values['loss_watchdog_threshold']))
    notes.push('loss_watchdog_threshold is not used: a run ends where its loss is no number any more.');
  if (!isUnset(own.values['plugins']))
    notes.push('plugins are not used; those for speed and memory change nothing in the training.');
  if (own.value('sample_packing') === true)
    notes.push(
      'sample_packing: rows are packed best fit decreasing; axolotl packs other rows together. Rows to evaluate on are not packed.',
    );
  const given = { ...own.values };
  if (save !== undefined) given['save_steps'] = save;
  if (evaluate !== undefined) given['eval_steps'] = evaluate;
  // As there, steps win over a strategy, which is by epochs unless told.
  const bySteps = (key: string) => !isUnset(given[`${key}_steps`]);
  for (const key of ['save', 'eval']) if (bySteps(key)) given[`${key}_strategy`] = 'steps';
  const ratio = own.has('cosine_min_lr_ratio')
    ? own.number('cosine_min_lr_ratio', { min: 0, max: 1 })
    : undefined;
  const schedule = own.value('lr_scheduler') ?? 'cosine';
  if (ratio !== undefined && ratio > 0) {
    if (schedule !== 'cosine') own.refuse('lr_scheduler', 'cosine, since cosine_min_lr_ratio is set');
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
  if (given['save_total_limit'] === 0) delete given['save_total_limit'];
  const training = readTraining(new Fields(own.file, given).renamed(AXOLOTL.names), defaults);
  for (const key of Object.keys(own.values)) if (TRAINING_KEYS.has(key)) own.value(key);
  // There, one step of warmup is made two.
  return { training: training.warmupSteps === 1 ? { ...training, warmupSteps: 2 } : training, notes };
}

const TRAINING_KEYS = keySet(`
  num_epochs max_steps micro_batch_size eval_batch_size gradient_accumulation_steps optimizer adam_beta1 adam_beta2
  adam_epsilon lr_scheduler lr_scheduler_kwargs learning_rate weight_decay max_grad_norm warmup_steps warmup_ratio
  logging_steps save_strategy save_steps save_total_limit eval_strategy evaluation_strategy eval_steps val_set_size
  load_best_model_at_end metric_for_best_model greater_is_better sequence_len excess_length_strategy
  sample_packing`);

/** batch_size says all rows of a step. */
function checkBatch(own: Fields, micro: number): void {
  if (!own.has('batch_size')) return;
  const accumulation = own.number('gradient_accumulation_steps', { whole: true, min: 1 }, 1);
  if (own.number('batch_size', { whole: true, min: 1 }) !== micro * accumulation)
    own.refuse(
      'batch_size',
      `${micro * accumulation}, which is micro_batch_size times gradient_accumulation_steps`,
    );
}

/** Steps as a share of all; undefined where they are not told so. */
function everyPartOfEpoch(own: Fields, key: string, epochs: number): number | undefined {
  if (!own.has(key)) return undefined;
  const share = 1 / (own.number(key, { whole: true, min: 1 }) * epochs);
  return share < 1 ? share : undefined;
}
