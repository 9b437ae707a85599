/**
 * Keys of transformers' TrainingArguments, of versions 4 and 5, that say where, how fast and how finely it computes and
 * what is reported, and not what is trained. Reference: transformers, src/transformers/training_args.py.
 */
const TRANSFORMERS = `
  average_tokens_across_devices bf16 fp16 bf16_full_eval fp16_full_eval tf32 fp16_backend fp16_opt_level
  half_precision_backend activation_checkpointing activation_checkpointing_kwargs gradient_checkpointing
  gradient_checkpointing_kwargs torchdynamo use_liger_kernel liger_kernel_config use_cache torch_empty_cache_steps
  auto_find_batch_size log_on_each_node logging_nan_inf_filter logging_dir include_num_input_tokens_seen
  include_tokens_per_second log_level log_level_replica disable_tqdm report_to run_name project
  prediction_loss_only eval_do_concat_batches eval_use_gather_object eval_accumulation_steps include_for_metrics
  include_inputs_for_metrics batch_eval_metrics save_only_model save_on_each_node save_safetensors
  enable_jit_checkpoint push_to_hub ignore_data_skip restore_callback_states_from_checkpoint full_determinism use_cpu
  no_cuda use_mps_device use_ipex jit_mode_eval dispatch_batches accelerator_config parallelism_config
  remove_unused_columns label_names length_column_name debug skip_memory_metrics do_train do_eval do_predict
  past_index mp_parameters ray_scope overwrite_output_dir local_rank n_gpu _n_gpu world_size deepspeed sharded_ddp
  xpu_backend use_legacy_prediction_loop torch_compile predict_with_generate generation_max_length generation_num_beams
  generation_config trust_remote_code`;

/** Families of such keys, by how they begin: loggers, hubs, workers, several GPUs. */
const FAMILIES =
  /^(?:wandb|mlflow|comet|trackio|swanlab|otel|gradio|ray|hub|push_to_hub|dataloader|torch_compile|ddp|fsdp|tpu|kt|vllm|sglang|profiler|export)_/;

const NAMES: ReadonlySet<string> = new Set(TRANSFORMERS.trim().split(/\s+/));

/** Whether a key of TrainingArguments has no effect on the training. */
export const isHarmless = (key: string): boolean => NAMES.has(key) || key === 'fsdp' || FAMILIES.test(key);
