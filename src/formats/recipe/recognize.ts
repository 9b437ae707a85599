import { quoteAll } from '../quote.ts';
import { UserError } from '../user-error.ts';
import { AXOLOTL } from './axolotl.ts';
import { isHarmless } from './harmless.ts';
import { LLAMA_FACTORY } from './llama-factory.ts';
import { isOwnKey } from './nested.ts';
import { RECIPE_SECTIONS } from './settings.ts';
import type { Tool } from './tool.ts';
import { TRAINING_ARGUMENTS } from './training-arguments.ts';
import { TRL } from './trl.ts';
import { trainingVariants } from './variants.ts';

/** Of tools that know as many keys of a file, the first is taken. */
const TOOLS: readonly Tool[] = [TRAINING_ARGUMENTS, TRL, LLAMA_FACTORY, AXOLOTL];

const VARIANTS = trainingVariants(0);

/** Whether transformers' TrainingArguments have such a key. */
const isTransformers = (key: string): boolean =>
  isHarmless(key) ||
  isOwnKey(key, 'training') ||
  Object.hasOwn(VARIANTS, key) ||
  key === 'seed' ||
  key === 'output_dir';

function knows(tool: Tool, key: string): boolean {
  return tool.keys.has(key) || (tool.transformers ? isTransformers(key) : isHarmless(key));
}

/**
 * Whose recipe it is, by its keys; undefined for our own. Throws UserError where it is nobody's: to take it for an empty
 * one would train something else than it says.
 */
export function recognize(values: Readonly<Record<string, unknown>>, file: string): Tool | undefined {
  const keys = Object.keys(values);
  if (keys.length === 0 || Object.hasOwn(values, 'training') || Object.hasOwn(values, 'lora')) {
    return undefined;
  }
  // Ours without their sections, unless the file is of a kind that ours never is.
  if (keys.every((key) => isOwnKey(key)) && !file.toLowerCase().endsWith('.json')) {
    return undefined;
  }
  const scores = TOOLS.map((tool) => ({ tool, score: keys.filter((key) => knows(tool, key)).length }));
  const best = scores.reduce((most, next) => (next.score > most.score ? next : most));
  const own = keys.filter(
    (key) => key === 'seed' || RECIPE_SECTIONS.some((section) => section === key),
  ).length;
  if (best.score > own && best.score * 2 >= keys.length) {
    return best.tool;
  }
  if (own * 2 >= keys.length) {
    return undefined;
  }
  const names = TOOLS.map(({ name }) => name).join(', ');
  throw new UserError(
    `${file}: its keys (${quoteAll(keys)}) are not those of a recipe; choose a training_config.yaml with the sections ${RECIPE_SECTIONS.join(', ')}, or a recipe of one of ${names}.`,
  );
}
