import { readSettings, type Setting } from '../setting.ts';
import { keySet } from './key-set.ts';
import { RECIPE, type RecipeSetting } from './settings.ts';
import { evalStepsOf, type Tool, TRANSFORMERS } from './tool.ts';
import { readTraining } from './training.ts';

const PLACES = keySet('output_dir resume_from_checkpoint');

/**
 * transformers' TrainingArguments, flat, as JSON or YAML: training only. The adapter and the base are as a recipe
 * without these sections has them. Reference: transformers, src/transformers/training_args.py (5.24).
 */
export const TRAINING_ARGUMENTS: Tool = {
  name: 'TrainingArguments (transformers)',
  transformers: true,
  names: Object.fromEntries(absent().map((key) => [key, null])),
  keys: new Set([...PLACES, 'warmup_ratio']),
  variants: {},
  places: PLACES,
  harmless: new Set(),
  read(file) {
    const recipe = {
      model: readSettings(file, RECIPE.model),
      lora: readSettings(file, RECIPE.lora),
      quantization: readSettings(file, RECIPE.quantization),
      training: readTraining(file, { ...TRANSFORMERS, ...evalStepsOf(file) }),
    };
    const notes = [
      'TrainingArguments say nothing of the adapter, the base and the length of rows: those are Retune’s own.',
    ];
    return { recipe, notes };
  },
};

/** The keys of our settings that TrainingArguments do not have. */
function absent(): string[] {
  const { training, ...others } = RECIPE;
  const own = Object.values<RecipeSetting>(training).filter((setting) => setting.own);
  const all: readonly Setting[] = [...own, ...Object.values(others).flatMap((table) => Object.values(table))];
  return all.flatMap(({ key, synonym }) => (synonym === undefined ? [key] : [key, synonym]));
}
