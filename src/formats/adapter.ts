// References: PEFT, src/peft/utils/save_and_load.py (file form) and src/peft/tuners/lora/layer.py (initialization).
import { type AdapterConfig, MERGE_REMEDY, newAdapterConfig, parseAdapterConfig } from './adapter-config.ts';
import type { Folder } from './byte-source.ts';
import type { DecoderConfig } from './decoder-config.ts';
import { checkFinite } from './finite.ts';
import { readJson } from './json.ts';
import { type LoraModule, loraModules } from './lora-modules.ts';
import { missingFile } from './missing-file.ts';
import { isPickleName, pickleError } from './pickle.ts';
import { shorten } from './quote.ts';
import { MAX_BYTES } from './read-text.ts';
import type { LoraSettings } from './recipe/settings.ts';
import {
  decodeF32,
  openSafetensors,
  readTensor,
  type Safetensors,
  showShape,
  type TensorInfo,
} from './safetensors.ts';
import type { TensorData } from './safetensors-write.ts';
import { unfinishedDownload } from './unfinished-download.ts';
import { UserError } from './user-error.ts';
import { Xoshiro128 } from './xoshiro128.ts';

export type { LoraModule } from './lora-modules.ts';

/** f32 master weights of one module: N output features, K input features. */
export interface LoraWeights {
  readonly module: LoraModule;
  /** [r, K], row-major. */
  readonly A: Float32Array<ArrayBuffer>;
  /** [N, r], row-major. */
  readonly B: Float32Array<ArrayBuffer>;
}

export interface Adapter {
  readonly config: AdapterConfig;
  /** In the order of `loraModules`. */
  readonly weights: LoraWeights[];
}

const CONFIG = 'adapter_config.json';
const WEIGHTS = 'adapter_model.safetensors';
/** The whole embedding or output head. */
const WHOLE_TABLE = /(?:embed_tokens|lm_head)\.(?:base_layer\.|modules_to_save\.(?:default\.)?)?weight$/;

/** Where the tensors of one module are stored. */
export interface LoraSource {
  readonly module: LoraModule;
  readonly A: TensorInfo;
  readonly B: TensorInfo;
}

/** An adapter whose tensors are not read yet. */
export interface OpenAdapter {
  readonly config: AdapterConfig;
  /** In the order of `loraModules`. */
  readonly sources: readonly LoraSource[];
}

/**
 * Reads a PEFT adapter folder against its base. Throws UserError naming the tensor that does not fit or is not
 * finite.
 */
export async function readAdapter(folder: Folder, decoder: DecoderConfig): Promise<Adapter> {
  const { config, sources } = await openAdapter(folder, decoder);
  const weights: LoraWeights[] = [];
  for (const source of sources) {
    weights.push(await readPair(source));
  }
  return { config, weights };
}

/** The f32 values of a module's tensors. Throws UserError if any is not finite. */
export async function readPair({ module, A, B }: LoraSource): Promise<LoraWeights> {
  return { module, A: await readMatrix(A), B: await readMatrix(B) };
}

/** Opens a PEFT adapter folder and checks its headers against its base. Throws UserError naming what does not fit. */
export async function openAdapter(folder: Folder, decoder: DecoderConfig): Promise<OpenAdapter> {
  const configFile = await folder.open(CONFIG);
  if (!configFile) {
    throw await missingOfAdapter(folder, CONFIG);
  }
  const config = parseAdapterConfig(
    await readJson(configFile, { keepFloats: true }, MAX_BYTES.config),
    configFile.name,
  );
  const weightsFile = await folder.open(WEIGHTS);
  if (!weightsFile) {
    const download = await unfinishedDownload(folder);
    if (download) {
      throw download;
    }
    const pickle = (await folder.list()).find(isPickleName);
    throw pickle === undefined
      ? await missingOfAdapter(folder, WEIGHTS)
      : pickleError(`${folder.name}/${pickle}`);
  }
  const file = await openSafetensors(weightsFile);
  const left = new Map(
    [...file.tensors].map(([name, info]) => [name.replace(/\.default\.weight$/, '.weight'), info]),
  );
  const sources = loraModules(config, decoder).map((module) => {
    const { r, inFeatures, outFeatures } = module;
    return {
      module,
      A: take(left, file, tensorName(module, 'A'), [r, inFeatures], 0),
      B: take(left, file, tensorName(module, 'B'), [outFeatures, r], 1),
    };
  });
  const [extra] = left.values();
  if (extra) {
    refuseWholeTable(extra);
  }
  if (extra) {
    throw new UserError(
      `${weightsFile.name}: the tensor ${shorten(extra.name)} ${showShape(extra.shape)} has no place in the base as ${CONFIG} adapts it; the adapter belongs to another base, so choose that base.`,
    );
  }
  return { config, sources };
}

/** A new adapter, initialized as PEFT does: A uniform in ±1/√K (Kaiming with a = √5), B zero. */
export function freshAdapter(
  settings: LoraSettings,
  decoder: DecoderConfig,
  seed: number,
  baseModelName: string,
): Adapter {
  const config = newAdapterConfig(settings, baseModelName);
  const random = Xoshiro128.seeded(seed);
  const weights = loraModules(config, decoder).map((module) => {
    const bound = 1 / Math.sqrt(module.inFeatures);
    const A = Float32Array.from(
      { length: module.r * module.inFeatures },
      () => bound * (2 * random.uniform() - 1),
    );
    return { module, A, B: new Float32Array(module.outFeatures * module.r) };
  });
  return { config, weights };
}

/** The tensors of adapter_model.safetensors, f32 under PEFT's names; their data is not copied. */
export function adapterTensors(weights: readonly LoraWeights[]): TensorData[] {
  return weights.flatMap(({ module, A, B }) => [
    f32Tensor(tensorName(module, 'A'), [module.r, module.inFeatures], A),
    f32Tensor(tensorName(module, 'B'), [module.outFeatures, module.r], B),
  ]);
}

/** PEFT's metadata of adapter_model.safetensors. */
export const ADAPTER_METADATA = { format: 'pt' } as const;

/** A module's tensor name in PEFT's form. */
export function tensorName(module: LoraModule, matrix: 'A' | 'B'): string {
  return `base_model.model.${module.name}.lora_${matrix}.weight`;
}

/** The f32 values of an adapter's tensor. Throws UserError if any is not finite. */
export async function readMatrix(info: TensorInfo): Promise<Float32Array<ArrayBuffer>> {
  const bytes = await readTensor(info);
  checkFinite(info, bytes, 'take an earlier checkpoint or another copy of the adapter');
  return decodeF32(info, bytes);
}

function f32Tensor(name: string, shape: number[], values: Float32Array): TensorData {
  const data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { name, dtype: 'F32', shape, data };
}

/**
 * Removes a tensor from `left` and checks its shape; `rankAxis` is the dimension that adapter_config.json
 * determines.
 */
function take(
  left: Map<string, TensorInfo>,
  { source }: Safetensors,
  name: string,
  shape: readonly [number, number],
  rankAxis: 0 | 1,
): TensorInfo {
  const tensor = left.get(name);
  if (!tensor) {
    throw new UserError(
      `${source.name}: the tensor ${name} is missing, expected ${showShape(shape)}; the adapter is incomplete or belongs to another base, so choose that base.`,
    );
  }
  left.delete(name);
  if (tensor.begin === tensor.end) {
    throw new UserError(
      `${source.name}: ${tensor.name} is empty, ${showShape(tensor.shape)}, as DeepSpeed's ZeRO-3 leaves a weight that was not gathered; save the adapter again with stage3_gather_16bit_weights_on_model_save, or by zero_to_fp32.py.`,
    );
  }
  if (showShape(tensor.shape) === showShape(shape)) {
    return tensor;
  }
  const onlyRank = tensor.shape.length === 2 && tensor.shape[1 - rankAxis] === shape[1 - rankAxis];
  throw new UserError(
    `${source.name}: ${tensor.name} is ${showShape(tensor.shape)}, expected ${showShape(shape)}; ` +
      (onlyRank
        ? `its rank is not that of ${CONFIG}, so take both files from the same adapter.`
        : 'the adapter belongs to another base, so choose that base.'),
  );
}

/** Throws UserError if the tensor is the whole embedding or output head. */
export function refuseWholeTable({ name, shape, source }: TensorInfo): void {
  if (!WHOLE_TABLE.test(name)) {
    return;
  }
  throw new UserError(
    `${source.name}: it holds a whole table, ${shorten(name)} ${showShape(shape)}, as PEFT saves one where the vocabulary was enlarged or the table was trained; only LoRA pairs are trained here: if the table is the base's own, save the adapter again with save_embedding_layers=False; else ${MERGE_REMEDY}.`,
  );
}

/** The error for a folder that lacks one of an adapter's files. */
export const missingOfAdapter = (folder: Folder, file: string): Promise<UserError> =>
  missingFile(folder, file, ', expected the folder of a PEFT LoRA adapter; choose that folder');
