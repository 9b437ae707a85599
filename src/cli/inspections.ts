import { basename } from 'node:path';
import { checkAdapter } from '../formats/adapter-check.ts';
import { parseAdapterConfig } from '../formats/adapter-config.ts';
import { BASE_REMEDY, floatTensors, openBaseModel } from '../formats/base-model.ts';
import type { ByteSource, Folder } from '../formats/byte-source.ts';
import { denseTensors, linearModules } from '../formats/decoder-weights.ts';
import { allFinite, checkTensor, tensorPieces } from '../formats/finite.ts';
import { readJson } from '../formats/json.ts';
import { offByALevel } from '../formats/missing-file.ts';
import { isPickleName, pickleError } from '../formats/pickle.ts';
import { MAX_BYTES } from '../formats/read-text.ts';
import { ggufError, isGgufName, refuseGguf } from '../formats/recognize-files.ts';
import { openSafetensors, type Safetensors } from '../formats/safetensors.ts';
import { sha256 } from '../formats/sha256.ts';
import { UserError } from '../formats/user-error.ts';
import { readCardLineage } from '../run/card-lineage.ts';
import { CURSOR, verifyFiles } from '../run/checkpoint/checkpoint.ts';
import { checkChatTemplate } from '../text/chat-template.ts';
import { loadTokenizer } from '../text/load-tokenizer.ts';
import { tableNote } from '../text/tokenizer-notes.ts';

/** The facts that `inspect` shows, in order. */
export type Facts = Readonly<Record<string, unknown>>;

/** Bytes hashed so far, and in total. */
type OnProgress = (done: number, total: number) => void;

const OPTIMIZER = 'optimizer.safetensors';
const product = (shape: readonly number[]): number => shape.reduce((all, n) => all * n, 1);

/** A base, an adapter or a checkpoint, told apart by their files. Throws UserError if it is not sound. */
export async function inspectFolder(folder: Folder, onProgress: OnProgress): Promise<Facts> {
  if (await folder.open('adapter_config.json')) {
    const record = (await folder.open(CURSOR)) ? await inspectRecord(folder) : await inspectCard(folder);
    return { ...(await inspectAdapter(folder, onProgress)), ...record };
  }
  if (await folder.open('config.json')) {
    return inspectBase(folder, onProgress);
  }
  const names = await folder.list();
  const pickle = names.find(isPickleName);
  if (pickle !== undefined) {
    throw pickleError(`${folder.name}/${pickle}`);
  }
  const gguf = names.find(isGgufName);
  if (gguf !== undefined) {
    throw ggufError(`${folder.name}/${gguf}`);
  }
  const off =
    (await offByALevel(folder, 'config.json')) ?? (await offByALevel(folder, 'adapter_config.json'));
  if (off) {
    throw off;
  }
  throw new UserError(
    `${folder.name}: neither config.json nor adapter_config.json is there, expected the folder of a base model, of an adapter or of a checkpoint; choose such a folder or name a .safetensors file.`,
  );
}

/** Any safetensors file. Throws UserError if it violates the format. */
export async function inspectFile(source: ByteSource, onProgress: OnProgress): Promise<Facts> {
  await refuseGguf(source);
  const file = await openSafetensors(source);
  const notFinite = await tensorsNotFinite(file, onProgress);
  return {
    kind: 'safetensors file',
    ...tensorFacts([file]),
    metadata: file.metadata,
    not_finite: notFinite.length > 0 ? notFinite : 'none',
    sha256: await sha256(source, (done) => onProgress(source.size + done, 2 * source.size)),
    sound: 'its header and layout are those of the format',
  };
}

/** The names of the F32, F16 and BF16 tensors that contain NaN or infinity. */
async function tensorsNotFinite({ source, tensors }: Safetensors, onProgress: OnProgress): Promise<string[]> {
  const names = new Set<string>();
  for (const tensor of tensors.values()) {
    for await (const piece of tensorPieces(tensor)) {
      if (!allFinite(tensor.dtype, piece)) {
        names.add(tensor.name);
      }
    }
    onProgress(tensor.end, 2 * source.size);
  }
  return [...names];
}

async function inspectBase(folder: Folder, onProgress: OnProgress): Promise<Facts> {
  const model = await openBaseModel(folder);
  const tokenizer = await loadTokenizer(folder, model.config.vocabSize);
  checkChatTemplate(tokenizer);
  const { config, nf4 } = model;
  const note = tableNote(tokenizer, config.vocabSize);
  const notes = [...model.notes, ...tokenizer.notes];
  const shapes = [
    ...linearModules(config).map((m) => m.shape),
    ...[...denseTensors(config)].map(([, s]) => s),
  ];
  const files: Record<string, string> = {};
  const floats = floatTensors(model);
  const total =
    model.weightFiles.reduce((sum, file) => sum + file.size, 0) +
    floats.reduce((sum, { begin, end }) => sum + end - begin, 0);
  let before = 0;
  for (const tensor of floats) {
    await checkTensor(tensor, BASE_REMEDY, (bytes) => onProgress((before += bytes), total));
  }
  for (const file of model.weightFiles) {
    files[basename(file.name)] = await sha256(file, (done) => onProgress(before + done, total));
    before += file.size;
  }
  const nested = [...nf4.values()].some((source) => source.nested);
  return {
    kind: 'base model',
    family: config.family,
    layers: config.layers,
    hidden_size: config.hiddenSize,
    heads: `${config.heads} query, ${config.kvHeads} key and value, ${config.headDim} wide`,
    vocabulary: config.vocabSize,
    tokenizer_vocabulary: tokenizer.vocabSize,
    ...(note !== undefined && { note }),
    tied: config.tied,
    ...(notes.length > 0 && { notes: notes.join(' ') }),
    max_positions: config.maxPositions,
    parameters: shapes.reduce((sum, shape) => sum + product(shape), 0),
    quantized: model.quantized ? `NF4, ${nf4.size} modules${nested ? ', scales quantized too' : ''}` : 'no',
    ...(model.kept.size > 0 && { kept_in_16_bit: `${model.kept.size} modules, as config.json names them` }),
    ...tensorFacts(await Promise.all(model.weightFiles.map(openSafetensors))),
    sha256: files,
    sound:
      'every tensor that config.json asks for is there in its shape and finite, and the tokenizer and any chat template load',
  };
}

async function inspectAdapter(folder: Folder, onProgress: OnProgress): Promise<Facts> {
  const configFile = (await folder.open('adapter_config.json'))!;
  const config = parseAdapterConfig(
    await readJson(configFile, { keepFloats: true }, MAX_BYTES.config),
    configFile.name,
  );
  const weights = await folder.open('adapter_model.safetensors');
  if (!weights) {
    const pickle = (await folder.list()).find(isPickleName);
    if (pickle !== undefined) {
      throw pickleError(`${folder.name}/${pickle}`);
    }
    throw new UserError(
      `${folder.name}: adapter_model.safetensors is missing, though adapter_config.json is there; copy both files from the same adapter.`,
    );
  }
  const file = await openSafetensors(weights);
  const modules = await checkAdapter(file, config);
  return {
    kind: 'adapter',
    base_model_name: config.baseModelName ?? 'not given',
    r: config.r,
    lora_alpha: config.loraAlpha,
    lora_dropout: config.loraDropout,
    use_rslora: config.useRslora,
    target_modules: config.targetModules,
    ...(config.rankPattern.size > 0 ? { rank_pattern: Object.fromEntries(config.rankPattern) } : {}),
    ...(config.alphaPattern.size > 0 ? { alpha_pattern: Object.fromEntries(config.alphaPattern) } : {}),
    modules,
    parameters: [...file.tensors.values()].reduce((sum, { shape }) => sum + product(shape), 0),
    ...tensorFacts([file]),
    metadata: file.metadata,
    sha256: await sha256(weights, (done) => onProgress(done, weights.size)),
    sound:
      'its tensors are finite LoRA pairs for the modules and of the ranks that adapter_config.json gives; whether they fit a base shows when it is loaded',
  };
}

/** What Retune recorded beside the adapter; all files must still match their SHA-256. */
async function inspectRecord(folder: Folder): Promise<Facts> {
  const { step, prompt, identity, weightsFrom } = await verifyFiles(folder);
  const optimizer = await folder.open(OPTIMIZER);
  return {
    kind: optimizer ? 'checkpoint' : 'adapter made by Retune',
    step,
    prompt,
    ...(weightsFrom === undefined ? {} : { weights_from: weightsFrom }),
    ...(optimizer ? { optimizer: tensorFacts([await openSafetensors(optimizer)]) } : {}),
    made_from: identity,
    sound: `every file has the SHA-256 that ${CURSOR} records, and its tensors are finite LoRA pairs`,
  };
}

/** What the card beside an adapter from elsewhere says of where it comes from. */
async function inspectCard(folder: Folder): Promise<Facts> {
  const card = await readCardLineage(folder);
  return card ? { by_its_card: { base: card.base, 'continued from': card.source } } : {};
}

function tensorFacts(files: readonly Safetensors[]) {
  const tensors = files.flatMap((file) => [...file.tensors.values()]);
  const dtypes: Record<string, number> = {};
  for (const { dtype } of tensors) {
    dtypes[dtype] = (dtypes[dtype] ?? 0) + 1;
  }
  return { tensors: tensors.length, dtypes, bytes: tensors.reduce((sum, t) => sum + t.end - t.begin, 0) };
}
