import { LORA_DEFAULTS } from './lora.ts';
import { evalStepsOf, keySet, TRANSFORMERS, type Tool } from './tool.ts';
import { readTraining } from './training.ts';

const PLACES = keySet('output_dir resume_from_checkpoint');

/**
 * transformers' TrainingArguments, flat, as JSON or YAML: training only. The adapter and the base are as a recipe
 * without these sections has them. Reference: transformers, src/transformers/training_args.py (5.24).
 */
export const TRAINING_ARGUMENTS: Tool = {
  name: 'TrainingArguments (transformers)',
  transformers: true,
  names: {
    max_seq_length: null,
    max_length: null,
    max_train_samples: null,
    max_eval_samples: null,
    val_size: null,
    packing: null,
    ...Object.fromEntries(
      ['r', 'lora_alpha', 'lora_dropout', 'use_rslora', 'target_modules', 'bnb_4bit_use_double_quant'].map(
        (key) => [key, null],
      ),
    ),
  },
  keys: new Set([...PLACES, 'warmup_ratio']),
  variants: {},
  places: PLACES,
  harmless: new Set(),
  read(file, own) {
    const recipe = {
      model: { name: '' },
      lora: LORA_DEFAULTS,
      quantization: { useDoubleQuant: true },
      training: readTraining(file, { ...TRANSFORMERS, ...evalStepsOf(file) }),
      seed: own.number('seed', {}, 42),
    };
    const notes = [
      'TrainingArguments say nothing of the adapter, the base and the length of rows: those are Retune’s own.',
    ];
    return { recipe, notes };
  },
};
