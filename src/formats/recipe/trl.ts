import { readSettings } from '../setting.ts';
import { keySet } from './key-set.ts';
import { readQuantization } from './nested.ts';
import { RECIPE } from './settings.ts';
import { evalStepsOf, type Tool, TRANSFORMERS } from './tool.ts';
import { readTraining } from './training.ts';
import { variant, type Variants } from './variants.ts';

const HARMLESS = keySet(`
  model_init_kwargs router_aux_loss_coef dataset_kwargs dataset_num_proc dataset_batch_size shuffle_dataset padding_free
  pad_to_multiple_of activation_offloading pad_token dtype torch_dtype attn_implementation model_revision
  bnb_4bit_quant_storage bnb_4bit_compute_dtype lora_task_type ignore_bias_buffers env streaming dataset_streaming
  eval_packing use_liger num_of_sequences chars_per_token gradient_checkpointing_use_reentrant`);

const PLACES = keySet(`
  model_name_or_path dataset_name dataset_config dataset_train_split dataset_test_split dataset_text_field datasets
  output_dir resume_from_checkpoint cache_dir config`);

/** Keys of TRL's other trainers: with one of them the file means another training. */
const OTHER_TRAINERS = keySet(`
  precompute_ref_log_probs precompute_ref_batch_size loss_weights f_divergence_type f_alpha_divergence_coef beta
  use_weighting discopop_tau sync_ref_model ref_model_mixup_alpha ref_model_sync_steps max_prompt_length
  max_completion_length label_pad_token_id rpo_alpha simpo_gamma cpo_alpha desirable_weight undesirable_weight
  num_generations num_generations_eval generation_batch_size steps_per_generation use_vllm num_iterations epsilon_high
  reward_weights reward_funcs reward_model_path reward_model_name_or_path scale_rewards
  center_rewards_coefficient missing_eos_penalty kl_coef num_ppo_epochs whiten_rewards sft_model_path ld_alpha`);

const otherTrainers: Variants = Object.fromEntries(
  [...OTHER_TRAINERS].map((key) => [key, variant('only supervised fine-tuning is done here')]),
);

/** The flat YAML of `trl sft`. Reference: TRL, trl/trainer/sft_config.py, model_config.py and trl/scripts (1.0). */
export const TRL: Tool = {
  name: 'TRL',
  transformers: true,
  names: {
    max_seq_length: 'max_length',
    max_length: 'max_seq_length',
    max_train_samples: null,
    max_eval_samples: null,
    save_best: null,
    sample_prompts: null,
    sample_max_new_tokens: null,
    early_stopping_patience: null,
    early_stopping_threshold: null,
    val_size: 'test_split_size',
    r: 'lora_r',
    target_modules: 'lora_target_modules',
    bnb_4bit_use_double_quant: 'use_bnb_nested_quant',
    name: 'model_name_or_path',
  },
  keys: new Set([
    ...keySet(`use_peft lora_r lora_alpha lora_dropout lora_target_modules lora_target_parameters lora_modules_to_save
      use_rslora use_dora load_in_4bit load_in_8bit bnb_4bit_quant_type use_bnb_nested_quant max_length max_seq_length
      packing completion_only_loss assistant_only_loss loss_type truncation_mode chat_template_path eos_token
      test_split_size warmup_ratio`),
    ...HARMLESS,
    ...PLACES,
    ...OTHER_TRAINERS,
  ]),
  variants: {
    ...otherTrainers,
    use_dora: variant('only plain LoRA is trained here'),
    lora_modules_to_save: variant('only LoRA tensors are trained here'),
    lora_target_parameters: variant('only modules are adapted here'),
    lora_task_type: variant('only language models are trained here', 'CAUSAL_LM'),
    packing_strategy: variant('rows are packed best fit decreasing', 'bfd'),
    loss_type: variant('the loss is the cross-entropy of the next token', 'nll', 'chunked_nll'),
    truncation_mode: variant('rows are cut at their end', 'keep_start'),
    chat_template_path: variant('the base’s own chat template counts'),
  },
  places: PLACES,
  harmless: HARMLESS,
  read(file, own) {
    if (own.value('use_peft') !== true) {
      own.refuse('use_peft', 'true, since only LoRA adapters are trained here, not all of a model');
    }
    if (own.value('load_in_4bit') !== true) {
      own.refuse('load_in_4bit', 'true, since the base is always kept in 4 bits');
    }
    if (own.value('completion_only_loss') === false) {
      own.refuse('completion_only_loss', 'true or nothing, since prompts are not trained here');
    }
    const lora = readSettings(file, RECIPE.lora, {
      r: 16,
      loraAlpha: 32,
      loraDropout: 0.05,
      useRslora: false,
      // PEFT's own choice for Qwen2, Qwen3 and Llama.
      targetModules: ['q_proj', 'v_proj'],
    });
    const { targetModules } = lora;
    const only =
      Array.isArray(targetModules) && targetModules.length === 1 ? (targetModules[0] as string) : undefined;
    const recipe = {
      model: readSettings(file, RECIPE.model),
      lora: only === 'all-linear' ? { ...lora, targetModules: only } : lora,
      quantization: readQuantization(file, false),
      training: readTraining(file, {
        ...TRANSFORMERS,
        learningRate: 2e-5,
        maxLength: 1024,
        ...evalStepsOf(file, 10),
      }),
    };
    const notes: string[] = [];
    if (own.value('assistant_only_loss') !== true) {
      notes.push(
        'Of conversations only the assistant’s turns are trained; TRL trains all of them unless assistant_only_loss is on.',
      );
    }
    if (own.value('packing') === true) {
      notes.push('packing: rows to evaluate on are not packed.');
    }
    if (own.has('eos_token')) {
      notes.push('eos_token is not used: the end token of the base counts.');
    }
    return { recipe, notes };
  },
};
