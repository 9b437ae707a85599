// Reference: PEFT, src/peft/tuners/lora/config.py.
import { Fields, isRecord, type NumberRule } from './fields.ts';
import { PythonFloat } from './json.ts';
import { writePythonJson } from './python-json.ts';
import { quote } from './quote.ts';
import type { LoraSettings } from './recipe/settings.ts';
import { UserError } from './user-error.ts';
import { showCount } from './words.ts';

/** A PEFT adapter_config.json of type LORA. */
export interface AdapterConfig {
  /** The file it was read from, for messages. */
  readonly file: string;
  readonly r: number;
  readonly loraAlpha: number;
  /** Probability in [0, 1). */
  readonly loraDropout: number;
  readonly useRslora: boolean;
  /** Names or suffixes of names; a string is "all-linear" or a regular expression. */
  readonly targetModules: readonly string[] | string;
  readonly excludeModules: readonly string[] | string;
  /** If given, the only layers adapted. */
  readonly layersToTransform: readonly number[] | undefined;
  readonly layersPattern: readonly string[];
  /** Regular expressions of module names to r; the first match wins. */
  readonly rankPattern: ReadonlyMap<string, number>;
  readonly alphaPattern: ReadonlyMap<string, number>;
  /** Often a path on another machine: shown and preserved, but never relied on. */
  readonly baseModelName: string | undefined;
  /** All keys as read, including unknown ones; they are written back. */
  readonly raw: Readonly<Record<string, unknown>>;
}

const REMEDY = 'Retune continues plain LoRA adapters only, so choose one of these';
/** For an adapter with modules that were trained in full. */
export const MERGE_REMEDY =
  "merge the adapter into its base with PEFT's merge_and_unload, save that as a base, and start a fresh adapter on it";
const COUNT = { whole: true, min: 1 } as const;
/** Maximum patterns of module names; the largest Llama has 882 modules. */
const MAX_PATTERNS = 5000;
const ABSENT = [undefined, null, false];
/**
 * Initializations that leave the base unchanged; the others (PiSSA, OLoRA, CorDA, LoftQ...) move part of it into A
 * and B.
 */
const PLAIN_INITIALIZATIONS: readonly unknown[] = [...ABSENT, true, 'gaussian', 'eva', 'orthogonal'];
/** Options that change the computation whenever they are set. */
export const UNSUPPORTED = [
  'use_dora',
  'lora_bias',
  'fan_in_fan_out',
  'modules_to_save',
  'layer_replication',
  'trainable_token_indices',
  'target_parameters',
  'alora_invocation_tokens',
  'arrow_config',
  'kasa_config',
  'monteclora_config',
  'use_bdlora',
  'use_qalora',
  'velora_config',
];

/**
 * Reads a parsed adapter_config.json (floats kept). Throws UserError naming any option that changes the
 * computation.
 */
export function parseAdapterConfig(json: unknown, file: string): AdapterConfig {
  const fields = new Fields(file, json, '', REMEDY);
  const raw = fields.values;
  fields.choice('peft_type', ['LORA']);
  const saved = raw['modules_to_save'];
  if (!isUnset(saved)) {
    throw new UserError(
      `${file}: modules_to_save is ${quote(saved)}, expected it to be unset: these modules were trained whole, and only LoRA pairs are trained here; ${MERGE_REMEDY}.`,
    );
  }
  refuseVariants(fields);
  const targetModules = fields.names('target_modules');
  const layersToTransform = readLayers(fields);
  if (layersToTransform && typeof targetModules === 'string') {
    fields.refuse(
      'layers_to_transform',
      'it to be unset beside a target_modules that is one string, as in PEFT',
    );
  }
  const layersPattern = isUnset(raw['layers_pattern']) ? [] : fields.names('layers_pattern');
  return {
    file,
    r: fields.number('r', COUNT),
    loraAlpha: fields.number('lora_alpha', { above: 0 }),
    loraDropout: fields.number('lora_dropout', { min: 0, below: 1 }, 0),
    useRslora: fields.boolean('use_rslora', false),
    targetModules,
    excludeModules: isUnset(raw['exclude_modules']) ? [] : fields.names('exclude_modules'),
    layersToTransform,
    layersPattern: [layersPattern].flat(),
    rankPattern: readPattern(fields.section('rank_pattern'), COUNT),
    alphaPattern: readPattern(fields.section('alpha_pattern'), { above: 0 }),
    baseModelName: fields.string('base_model_name_or_path', '') || undefined,
    raw,
  };
}

/**
 * Refuses by name every LoRA option, of adapter_config.json or a recipe, that would change the computation. Throws
 * UserError.
 */
export function refuseVariants(fields: Fields): void {
  for (const key of UNSUPPORTED) {
    if (!isUnset(fields.values[key])) {
      fields.refuse(key, 'it to be unset');
    }
  }
  const { bias, init_lora_weights: initialization } = fields.values;
  if (![undefined, null, 'none'].includes(bias as null)) {
    fields.refuse('bias', 'none');
  }
  if (!PLAIN_INITIALIZATIONS.includes(initialization)) {
    fields.refuse('init_lora_weights', 'true, false, gaussian, eva or orthogonal');
  }
}

/** The text of adapter_config.json as PEFT saves it: every key preserved, sorted, inference_mode true. */
export function writeAdapterConfig({ raw }: AdapterConfig): string {
  // The first of several matching patterns counts; sorting them, as PEFT does, could put another one first.
  const inOrder = ['rank_pattern', 'alpha_pattern'].flatMap((key) => {
    const pattern = raw[key];
    return isRecord(pattern) ? [[key, new Map(Object.entries(pattern))] as const] : [];
  });
  return writePythonJson({ ...raw, ...Object.fromEntries(inOrder), inference_mode: true });
}

/** The configuration of a new adapter, with every key that PEFT 0.21 writes. */
export function newAdapterConfig(settings: LoraSettings, baseModelName: string): AdapterConfig {
  const { r, loraAlpha, loraDropout, useRslora, targetModules } = settings;
  const raw = {
    alora_invocation_tokens: null,
    alpha_pattern: {},
    arrow_config: null,
    auto_mapping: null,
    base_model_name_or_path: baseModelName,
    bias: 'none',
    corda_config: null,
    ensure_weight_tying: false,
    eva_config: null,
    exclude_modules: null,
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    kasa_config: null,
    layer_replication: null,
    layers_pattern: null,
    layers_to_transform: null,
    loftq_config: {},
    lora_alpha: loraAlpha,
    lora_bias: false,
    lora_dropout: Number.isInteger(loraDropout) ? new PythonFloat(loraDropout) : loraDropout,
    lora_ga_config: null,
    megatron_config: null,
    megatron_core: 'megatron.core',
    modules_to_save: null,
    monteclora_config: null,
    peft_type: 'LORA',
    peft_version: '0.21.0',
    qalora_group_size: 16,
    r,
    rank_pattern: {},
    revision: null,
    target_modules: targetModules,
    target_parameters: null,
    task_type: 'CAUSAL_LM',
    trainable_token_indices: null,
    use_bdlora: null,
    use_dora: false,
    use_qalora: false,
    use_rslora: useRslora,
    velora_config: null,
  };
  return parseAdapterConfig(raw, 'adapter_config.json');
}

function isUnset(value: unknown): boolean {
  if (Array.isArray(value) || value === '') {
    return value.length === 0;
  }
  return ABSENT.includes(value as null) || (isRecord(value) && Object.keys(value).length === 0);
}

function readLayers(fields: Fields): readonly number[] | undefined {
  if (!fields.has('layers_to_transform')) {
    return undefined;
  }
  const layers = [fields.values['layers_to_transform']].flat();
  if (layers.length === 0) {
    return undefined;
  }
  if (!layers.every((layer) => Number.isSafeInteger(layer))) {
    fields.refuse('layers_to_transform', 'layer numbers');
  }
  return layers as number[];
}

function readPattern(fields: Fields, rule: NumberRule): ReadonlyMap<string, number> {
  const count = Object.keys(fields.values).length;
  if (count > MAX_PATTERNS) {
    throw new UserError(
      `${fields.file}: rank_pattern or alpha_pattern has ${showCount(count)} keys, expected at most ${showCount(MAX_PATTERNS)}; ${REMEDY}.`,
    );
  }
  return new Map(Object.keys(fields.values).map((key) => [key, fields.number(key, rule)]));
}
