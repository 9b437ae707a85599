import type { LoraSettings } from '../adapter-config.ts';
import type { TrainingSettings } from './training.ts';

/** A training configuration: what training_config.yaml says, with the recipe's values where it is silent. */
export interface Recipe {
  readonly model: {
    /** Shown and kept, never decided by. */
    readonly name: string;
  };
  readonly lora: LoraSettings;
  readonly quantization: {
    /** Whether the absmax values are quantised themselves. */
    readonly useDoubleQuant: boolean;
  };
  readonly training: TrainingSettings;
  /** Of row order, dropout and fresh adapters; 32 bits. */
  readonly seed: number;
  /** Keys without an effect here, by their dotted path: kept for rewriting. */
  readonly rest: Readonly<Record<string, unknown>>;
}
