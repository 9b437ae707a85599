import type { LoraSettings } from '../adapter-config.ts';
import { PROJECTIONS } from '../decoder-weights.ts';
import type { Fields } from '../fields.ts';

/** A new adapter's settings where the file is silent. */
export const LORA_DEFAULTS: LoraSettings = {
  r: 32,
  loraAlpha: 64,
  loraDropout: 0,
  useRslora: false,
  targetModules: PROJECTIONS,
};

/** Reads a new adapter's settings under PEFT's names, as the file calls them. Throws UserError naming the key. */
export function readLora(file: Fields, defaults = LORA_DEFAULTS): LoraSettings {
  return {
    r: file.number('r', { whole: true, min: 1 }, defaults.r),
    loraAlpha: file.number('lora_alpha', { above: 0 }, defaults.loraAlpha),
    loraDropout: file.number('lora_dropout', { min: 0, below: 1 }, defaults.loraDropout),
    useRslora: file.boolean('use_rslora', defaults.useRslora),
    targetModules: file.names('target_modules', defaults.targetModules),
  };
}

/** The settings under PEFT's names. */
export function loraKeys({ r, loraAlpha, loraDropout, useRslora, targetModules }: LoraSettings) {
  return {
    r,
    lora_alpha: loraAlpha,
    lora_dropout: loraDropout,
    use_rslora: useRslora,
    target_modules: targetModules,
  };
}
