import { openBaseWeights } from './base-weights.ts';
import type { ByteSource, Folder } from './byte-source.ts';
import { type DecoderConfig, parseDecoderConfig } from './decoder-config.ts';
import { denseTensors, linearModules } from './decoder-weights.ts';
import { isRecord } from './fields.ts';
import { readJson } from './json.ts';
import { missingFile } from './missing-file.ts';
import { type Nf4Source, readNf4Source } from './nf4-checkpoint.ts';
import { quote } from './quote.ts';
import { MAX_BYTES } from './read-text.ts';
import { showShape, type TensorInfo } from './safetensors.ts';
import { readSkipModules, type SkipModules } from './skip-modules.ts';
import { EMBEDDING, HEAD, sameTable, untiedNote } from './tied-head.ts';
import { UserError } from './user-error.ts';
import { counted } from './words.ts';

/** An opened and checked base folder: every weight that `config` requires is there, in the right shape. */
export interface BaseModel {
  readonly folder: Folder;
  /** As in config.json, except that `tied` is as in the files. */
  readonly config: DecoderConfig;
  /** Notes for the user, one sentence each. */
  readonly notes: readonly string[];
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Stop ids of generation_config.json and config.json, without duplicates. */
  readonly eosIds: readonly number[];
  /** Whether some linear weights are stored as NF4. */
  readonly quantized: boolean;
  /** The quantized weights, by module name ("model.layers.0.self_attn.q_proj"). */
  readonly nf4: ReadonlyMap<string, Nf4Source>;
  /** The linear modules of a 4-bit checkpoint that stay in 16 bits, as unsloth's dynamic ones have them. */
  readonly kept: ReadonlySet<string>;
  /** Whether the head has its own table although config.json ties it to the embedding. */
  readonly untied: boolean;
  /** In a stable order. */
  readonly weightFiles: readonly ByteSource[];
  readonly configFile: ByteSource;
}

/** `dense` is quantized while loading; `kept` stays in 16 bits. */
export type LinearSource = { readonly kind: 'dense' | 'kept'; readonly weight: TensorInfo } | Nf4Source;

/**
 * Reads headers and configuration; of the weights, only the two tables of a base that ties them but whose files
 * hold both. Throws UserError naming the file and the tensor or key.
 */
export async function openBaseModel(folder: Folder): Promise<BaseModel> {
  const configFile = await folder.open('config.json');
  if (!configFile) {
    throw await missingFile(
      folder,
      'config.json',
      ', expected the folder of a Hugging Face base model; choose that folder',
    );
  }
  const configJson = await readJson(configFile, {}, MAX_BYTES.config);
  const said = parseDecoderConfig(configJson, configFile.name);
  const { files, tensors } = await openBaseWeights(folder);
  checkLayers(said, tensors, configFile.name);
  const skipped = readSkipModules(configJson, configFile.name);
  const config = { ...said, tied: await isTied(folder, said, tensors) };
  const untied = said.tied && !config.tied;
  const nf4 = new Map<string, Nf4Source>();
  for (const { name, shape } of linearModules(config)) {
    const source = await readNf4Source(tensors, `${name}.weight`, shape);
    if (source) {
      nf4.set(name, source);
    } else {
      checkDense(folder, tensors, `${name}.weight`, shape);
    }
  }
  const kept = keptModules(config, tensors, { nf4, skipped, configFile: configFile.name });
  for (const [name, shape] of denseTensors(config)) {
    checkDense(folder, tensors, name, shape);
  }
  const generationFile = await folder.open('generation_config.json');
  const generation = generationFile ? await readJson(generationFile, {}, MAX_BYTES.config) : {};
  return {
    folder,
    config,
    notes: untied ? [untiedNote(folder)] : [],
    untied,
    tensors,
    eosIds: [
      ...new Set([...eosIds(generation, generationFile?.name ?? ''), ...eosIds(configJson, configFile.name)]),
    ],
    quantized: nf4.size > 0,
    nf4,
    kept,
    weightFiles: files,
    configFile,
  };
}

/**
 * Whether the output head is the embedding: as config.json says, unless the files hold two tables that differ. A
 * table stored under the head's name only serves as the embedding too.
 */
async function isTied(
  folder: Folder,
  config: DecoderConfig,
  tensors: Map<string, TensorInfo>,
): Promise<boolean> {
  const head = tensors.get(HEAD);
  if (!config.tied || !head) {
    return config.tied;
  }
  const embedding = tensors.get(EMBEDDING);
  if (!embedding) {
    tensors.set(EMBEDDING, head);
    return true;
  }
  for (const name of [EMBEDDING, HEAD]) {
    checkDense(folder, tensors, name, [config.vocabSize, config.hiddenSize]);
  }
  return folder.known?.tied ?? sameTable(embedding, head);
}

/** Where the weight of a linear module is stored; `name` as in "model.layers.0.self_attn.q_proj". */
export function linearSource(base: BaseModel, name: string): LinearSource {
  const kind = base.kept.has(name) ? 'kept' : 'dense';
  return base.nf4.get(name) ?? { kind, weight: base.tensors.get(`${name}.weight`)! };
}

/** The remedy for a base with broken values. */
export const BASE_REMEDY = 'download the base again';

/** The tensors whose floats are used directly: dense weights, and the scales of NF4 ones. */
export function floatTensors(base: BaseModel): TensorInfo[] {
  const linear = linearModules(base.config).flatMap(({ name }) => {
    const source = linearSource(base, name);
    if (source.kind !== 'nf4') {
      return [source.weight];
    }
    return source.nested ? [source.nested.absmax, source.nested.map] : [source.absmax];
  });
  return [...linear, ...[...denseTensors(base.config)].map(([name]) => base.tensors.get(name)!)];
}

/** The files that determine the base's numbers, in a stable order, for hashing: the weight files and config.json. */
export function baseFiles(base: BaseModel): ByteSource[] {
  return [...base.weightFiles, base.configFile];
}

/** Throws UserError for more layers than the files hold tensors of, before anything is created per layer. */
function checkLayers(
  { layers }: DecoderConfig,
  tensors: ReadonlyMap<string, TensorInfo>,
  configFile: string,
): void {
  const numbers = [...tensors.keys()].map((name) => /^model\.layers\.(\d{1,9})\./.exec(name)?.[1]);
  const held = new Set(numbers.filter((number) => number !== undefined)).size;
  if (layers <= held) {
    return;
  }
  throw new UserError(
    `${configFile}: num_hidden_layers is ${layers}, but the files hold tensors of ${counted(held, 'layer')}; download the base again, weights and config.json together.`,
  );
}

/**
 * The linear modules that a 4-bit checkpoint keeps in 16 bits. config.json and the files must agree: transformers,
 * which goes by config.json, could not load them either. Throws UserError.
 */
function keptModules(
  config: DecoderConfig,
  tensors: ReadonlyMap<string, TensorInfo>,
  {
    nf4,
    skipped,
    configFile,
  }: { nf4: BaseModel['nf4']; skipped: SkipModules | undefined; configFile: string },
): Set<string> {
  const modules = linearModules(config).map(({ name }) => name);
  // Nothing is stored in 4 bits: everything is quantized while loading.
  if (!skipped && nf4.size === 0) {
    return new Set();
  }
  const again = 'download the base again, weights and config.json together';
  const kept = new Set<string>();
  for (const name of modules) {
    const { dtype, source } = tensors.get(`${name}.weight`)!;
    const where = `${source.name}: ${name}.weight`;
    const entry = skipped?.(name);
    if (nf4.has(name)) {
      if (entry === undefined) {
        continue;
      }
      throw new UserError(
        `${where} is 4-bit, but ${quote(entry)} in llm_int8_skip_modules of ${configFile} says that it is not; ${again}.`,
      );
    }
    if (entry === undefined) {
      const says = skipped
        ? `expected 4 bits by ${configFile}: llm_int8_skip_modules does not name it`
        : `beside weights of 4 bits, and ${configFile} has no quantization_config that says which stay so`;
      throw new UserError(`${where} is ${dtype}, ${says}; ${again}.`);
    }
    if (dtype === 'F32') {
      throw new UserError(
        `${where} is F32 and stays so by llm_int8_skip_modules, expected BF16 or F16; save the base in bfloat16.`,
      );
    }
    kept.add(name);
  }
  return kept;
}

function checkDense(
  folder: Folder,
  tensors: ReadonlyMap<string, TensorInfo>,
  name: string,
  shape: readonly number[],
): void {
  const expected = `expected BF16, F16 or F32 ${showShape(shape)} by config.json`;
  const tensor = tensors.get(name);
  if (!tensor) {
    throw new UserError(
      `${folder.name}: the tensor ${name} is missing, ${expected}; download the base again, weights and config.json together.`,
    );
  }
  if (tensor.begin === tensor.end) {
    throw new UserError(
      `${tensor.source.name}: ${name} is empty, ${showShape(tensor.shape)}, as DeepSpeed's ZeRO-3 leaves a weight that was not gathered; take the published base, or save it again with stage3_gather_16bit_weights_on_model_save.`,
    );
  }
  const isFloat = tensor.dtype === 'BF16' || tensor.dtype === 'F16' || tensor.dtype === 'F32';
  if (!isFloat || showShape(tensor.shape) !== showShape(shape)) {
    throw new UserError(
      `${tensor.source.name}: ${name} is ${tensor.dtype} ${showShape(tensor.shape)}, ${expected}; download the base again, weights and config.json together.`,
    );
  }
}

function eosIds(json: unknown, file: string): number[] {
  const ids = (isRecord(json) ? json['eos_token_id'] : undefined) ?? [];
  const list = [ids].flat();
  if (list.every((id): id is number => Number.isSafeInteger(id) && (id as number) >= 0)) {
    return list;
  }
  throw new UserError(
    `${file}: eos_token_id is ${quote(ids)}, expected a token id or a list of them; ${BASE_REMEDY}.`,
  );
}
