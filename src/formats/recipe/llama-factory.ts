import type { Fields } from '../fields.ts';
import { readSettings } from '../setting.ts';
import { keySet } from './key-set.ts';
import { readQuantization } from './nested.ts';
import { RECIPE } from './settings.ts';
import { evalStepsOf, type Tool, TRANSFORMERS } from './tool.ts';
import { readTraining } from './training.ts';
import { variant } from './variants.ts';

/** Keys that say how other trainings than supervised LoRA go, or where and how fast it computes. */
const HARMLESS = keySet(`
  media_dir buffer_size mix_strategy interleave_probs overwrite_cache preprocessing_batch_size
  preprocessing_num_workers eval_num_beams ignore_pad_token_for_loss eval_on_each_dataset data_shared_file_system
  use_fast_tokenizer split_special_tokens init_special_tokens model_revision low_cpu_mem_usage flash_attn use_unsloth
  use_unsloth_gc enable_liger_kernel moe_aux_loss_coef disable_gradient_checkpointing use_reentrant_gc upcast_layernorm
  upcast_lmhead_output infer_backend offload_folder use_kv_cache use_v1_kernels infer_dtype hf_hub_token ms_hub_token
  om_hub_token print_param_status quantization_device_map plot_loss compute_accuracy
  include_effective_tokens_per_second loraplus_lr_embedding pissa_iter pissa_convert pure_bf16 freeze_vision_tower
  freeze_multi_modal_projector freeze_language_model freeze_trainable_layers freeze_trainable_modules
  freeze_extra_modules module_dropout oft_rank oft_block_size oft_target use_swanlab use_ray master_addr master_port
  enable_torch_profiler profile_modules image_max_pixels image_min_pixels image_do_pan_and_scan crop_to_patches
  video_max_pixels video_min_pixels video_fps video_maxlen use_audio_in_video audio_sampling_rate do_sample temperature
  top_p top_k num_beams max_length max_new_tokens repetition_penalty length_penalty skip_special_tokens asft_alpha
  eaft_alpha pref_beta pref_ftx pref_bco_weight pref_loss dpo_label_smoothing kto_chosen_weight kto_rejected_weight
  simpo_gamma ppo_buffer_size ppo_epochs ppo_score_norm ppo_target ppo_whiten_rewards ref_model_quantization_bit
  reward_model_quantization_bit reward_model_type ld_alpha fp8_backend fp8_enable_fsdp_float8_all_gather
  galore_target galore_rank galore_update_interval galore_scale galore_proj_type galore_layerwise apollo_target
  apollo_rank apollo_update_interval apollo_scale apollo_proj apollo_proj_type apollo_layerwise apollo_scale_type
  apollo_scale_front badam_mode badam_start_block badam_switch_mode badam_switch_interval badam_update_ratio
  badam_mask_mode badam_verbose hyper_parallel_args hyper_parallel_cp_size megatron_bridge_args`);

const PLACES = keySet(`
  model_name_or_path adapter_name_or_path adapter_folder cache_dir dataset eval_dataset dataset_dir tokenized_path
  output_dir resume_from_checkpoint ref_model ref_model_adapters reward_model reward_model_adapters`);

const OTHER_OPTIMIZER = 'the optimizer is AdamW over all of the adapter';
const OTHER_LOSS = 'the loss is the cross-entropy of the next token';
const OTHER_TOKENS = 'the base’s own tokenizer and chat template count';
const OTHER_MODEL = 'the base is computed as its own config.json says';

/** LLaMA-Factory's flat YAML. Reference: LLaMA-Factory, src/llamafactory/hparams (0.9.4). */
export const LLAMA_FACTORY: Tool = {
  name: 'LLaMA-Factory',
  transformers: true,
  names: {
    max_seq_length: 'cutoff_len',
    max_length: null,
    packing: 'neat_packing',
    max_train_samples: 'max_samples',
    max_eval_samples: null,
    save_best: null,
    sample_prompts: null,
    sample_max_new_tokens: null,
    early_stopping_patience: 'early_stopping_steps',
    early_stopping_threshold: null,
    r: 'lora_rank',
    target_modules: 'lora_target',
    bnb_4bit_use_double_quant: 'double_quantization',
    bnb_4bit_quant_type: 'quantization_type',
    load_in_4bit: null,
    load_in_8bit: null,
    name: 'model_name_or_path',
  },
  keys: new Set([
    ...keySet(`stage finetuning_type template cutoff_len max_samples lora_rank lora_alpha lora_dropout lora_target
      early_stopping_steps use_rslora use_dora quantization_bit quantization_method quantization_type double_quantization val_size packing
      neat_packing train_on_prompt mask_history additional_target streaming enable_thinking preserve_thinking
      warmup_ratio`),
    ...HARMLESS,
    ...PLACES,
  ]),
  variants: {
    stage: variant('only supervised fine-tuning is done here', 'sft'),
    finetuning_type: variant('only LoRA adapters are trained here', 'lora'),
    quantization_method: variant('the base is kept in NF4 as by bitsandbytes', 'bnb', 'bitsandbytes'),
    train_on_prompt: variant('prompts are not trained here'),
    mask_history: variant('every answer of a conversation is trained here'),
    streaming: variant('rows are read whole'),
    tool_format: variant(OTHER_TOKENS),
    default_system: variant(OTHER_TOKENS),
    resize_vocab: variant(OTHER_TOKENS),
    add_tokens: variant(OTHER_TOKENS),
    add_special_tokens: variant(OTHER_TOKENS),
    new_special_tokens_config: variant(OTHER_TOKENS),
    additional_target: variant('only LoRA tensors are trained here'),
    loraplus_lr_ratio: variant('A and B have one learning rate here'),
    use_dora: variant('only plain LoRA is trained here'),
    pissa_init: variant('only plain LoRA is trained here'),
    create_new_adapter: variant('the source adapter is continued here'),
    use_galore: variant(OTHER_OPTIMIZER),
    use_apollo: variant(OTHER_OPTIMIZER),
    use_badam: variant(OTHER_OPTIMIZER),
    use_adam_mini: variant(OTHER_OPTIMIZER),
    use_muon: variant(OTHER_OPTIMIZER),
    use_llama_pro: variant('all layers are trained here'),
    use_dft_loss: variant(OTHER_LOSS),
    use_asft_loss: variant(OTHER_LOSS),
    use_eaft_loss: variant(OTHER_LOSS),
    use_mca: variant('one GPU trains here'),
    use_megatron_bridge: variant('one GPU trains here'),
    use_hyper_parallel: variant('one GPU trains here'),
    use_kt: variant('the base is computed on the GPU'),
    fp8: variant('the base is kept in NF4'),
    disable_shuffling: variant('rows come in random order here'),
    rope_scaling: variant(OTHER_MODEL),
    shift_attn: variant(OTHER_MODEL),
    mixture_of_depths: variant(OTHER_MODEL),
    train_from_scratch: variant(OTHER_MODEL),
  },
  places: PLACES,
  harmless: HARMLESS,
  read(file, own) {
    if (own.value('quantization_bit') !== 4) {
      own.refuse('quantization_bit', '4, since the base is always kept in 4 bits');
    }
    const r = file.number('r', RECIPE.lora.r.range, 8);
    // As there, 0 counts as not set.
    const alphaUnset = own.value('lora_alpha') === 0;
    const lora = readSettings(
      alphaUnset ? file.renamed({ ...LLAMA_FACTORY.names, lora_alpha: null }) : file,
      RECIPE.lora,
      { r, loraAlpha: 2 * r, loraDropout: 0, useRslora: false, targetModules: 'all-linear' },
    );
    refuseAllAsCount(file);
    const neat = own.value('neat_packing') === true;
    if (own.value('packing') === true && !neat) {
      own.refuse(
        'packing',
        'false, or neat_packing beside it, since rows that share a sequence do not see each other here',
      );
    }
    const recipe = {
      model: readSettings(file, RECIPE.model),
      lora: { ...lora, targetModules: targets(lora.targetModules) },
      quantization: readQuantization(file),
      training: readTraining(file, { ...TRANSFORMERS, ...evalStepsOf(file) }),
    };
    const notes = [
      'Rows longer than cutoff_len are cut at their end; LLaMA-Factory shortens their prompts too.',
    ];
    if (neat) {
      notes.push('neat_packing: rows are packed best fit first; LLaMA-Factory packs them in another order.');
    }
    if (own.has('template')) {
      notes.push('template is not used: the chat template of the base counts, which should mean the same.');
    }
    if (own.value('enable_thinking') === false || own.value('preserve_thinking') === true) {
      notes.push(
        'enable_thinking and preserve_thinking are not used: the chat template of the base decides.',
      );
    }
    return { recipe, notes };
  },
};

/** 1 would be all rows there, and one row here. */
export function refuseAllAsCount(file: Fields): void {
  if (file.has('val_size') && Number(file.value('val_size')) === 1) {
    file.refuse('val_size', 'a share of the rows below 1, or a number of rows from 2');
  }
}

/** Names with commas, or all. */
function targets(names: readonly string[] | string): readonly string[] | string {
  if (names === 'all' || names === 'all-linear') {
    return 'all-linear';
  }
  const list = [names].flat().flatMap((name) => name.split(','));
  return list.map((name) => name.trim()).filter(Boolean);
}
