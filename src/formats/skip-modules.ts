import type { Allowance } from './bounded-regexp.ts';
import { Fields, isRecord } from './fields.ts';
import { compilePattern } from './module-pattern.ts';

/** Matching steps allowed for the list, over all module names: about a second. */
const MAX_STEPS = 1e7;
/** Maximum entries of the list: more than any model has modules. */
const MAX_ENTRIES = 10_000;

/** The entry of llm_int8_skip_modules that keeps a linear module in 16 bits, if any. */
export type SkipModules = (name: string) => string | undefined;

/**
 * Which linear modules of the decoder layers a 4-bit checkpoint keeps in 16 bits, by `quantization_config` of a parsed
 * config.json; undefined where there is none. An entry matches from the start of a name to the end of one of its
 * parts, as text or as a regular expression, or is the name's end. Without a list only modules outside the layers
 * stay. Throws UserError.
 *
 * References: should_convert_module and get_modules_to_not_convert of transformers 5, quantizers/quantizers_utils.py
 * and quantizers/base.py.
 */
export function readSkipModules(json: unknown, file: string): SkipModules | undefined {
  if (!isRecord(json) || !isRecord(json['quantization_config'])) {
    return undefined;
  }
  const remedy = 'download config.json again';
  const quantization = new Fields(file, json, '', remedy).section('quantization_config');
  const key = 'llm_int8_skip_modules';
  const list = quantization.values[key] ?? [];
  if (!Array.isArray(list) || list.length > MAX_ENTRIES || list.some((entry) => typeof entry !== 'string')) {
    return quantization.refuse(key, `a list of at most ${MAX_ENTRIES} module names`);
  }
  const allowance: Allowance = { steps: MAX_STEPS };
  const entries = (list as string[]).map((pattern) => ({
    pattern,
    find: compilePattern({ file, key, pattern, allowance }, '^', '(?:(?<=\\.)|(?=\\.|$))'),
  }));
  return (name) =>
    entries.find(({ pattern, find }) => name.endsWith(pattern) || find(name) !== undefined)?.pattern;
}
