import type { Settings } from '../setting.ts';
import type { LoraSettings, RECIPE, TrainingSettings } from './settings.ts';

/** A training configuration: what training_config.yaml says, with the recipe's values where it is silent. */
export interface Recipe {
  readonly model: Settings<typeof RECIPE.model>;
  readonly lora: LoraSettings;
  readonly quantization: Settings<typeof RECIPE.quantization>;
  readonly training: TrainingSettings;
  readonly seed: number;
  /** Keys without an effect here, by their dotted path: kept for rewriting. */
  readonly rest: Readonly<Record<string, unknown>>;
}
