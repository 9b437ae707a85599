import type { KeyNames } from '../fields.ts';
import { keySet } from './key-set.ts';
import { variant, type Variants } from './variants.ts';

/** What axolotl calls our settings. */
export const NAMES: KeyNames = {
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
  save_best: null,
  sample_prompts: null,
  sample_max_new_tokens: null,
  early_stopping_threshold: null,
  r: 'lora_r',
  target_modules: 'lora_target_modules',
  use_rslora: 'peft_use_rslora',
  bnb_4bit_use_double_quant: null,
  bnb_4bit_quant_type: null,
  name: 'base_model',
};

/** Other keys of its that some of our settings come from. */
export const SOURCES: Readonly<Record<string, readonly string[]>> = {
  lr_scheduler_kwargs: ['cosine_min_lr_ratio'],
  save_steps: ['saves_per_epoch'],
  eval_steps: ['evals_per_epoch'],
  target_modules: ['lora_target_linear'],
  bnb_4bit_use_double_quant: ['bnb_config_kwargs'],
};

/** Keys that say where, how fast and how finely it computes, or how other trainings go. */
export const HARMLESS = keySet(`
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

/** Files and folders. */
export const PLACES = keySet(`
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

/** Keys that would change the training. */
export const VARIANTS: Variants = {
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
  excess_length_strategy: variant('rows that are too long are cut here', 'truncate'),
};

/** Keys by which its files are known. */
export const KEYS: ReadonlySet<string> = new Set([
  ...keySet(`adapter load_in_4bit load_in_8bit lora_r lora_alpha lora_dropout lora_target_modules lora_target_linear
    peft_use_rslora sequence_len sample_packing micro_batch_size gradient_accumulation_steps batch_size num_epochs
    max_steps optimizer lr_scheduler lr_scheduler_kwargs cosine_min_lr_ratio learning_rate weight_decay max_grad_norm
    adam_beta1 adam_beta2 adam_epsilon warmup_steps warmup_ratio val_set_size eval_steps eval_strategy save_steps
    save_strategy save_total_limit logging_steps load_best_model_at_end metric_for_best_model greater_is_better seed
    chat_template bnb_config_kwargs eval_sequence_len early_stopping_patience`),
  ...HARMLESS,
  ...PLACES,
  ...Object.keys(VARIANTS),
]);
