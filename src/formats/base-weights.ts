import type { ByteSource, Folder } from './byte-source.ts';
import { Fields } from './fields.ts';
import { readJson } from './json.ts';
import { isPickleName, pickleError } from './pickle.ts';
import { quote, shorten } from './quote.ts';
import { MAX_BYTES } from './read-text.ts';
import { openSafetensors, type TensorInfo } from './safetensors.ts';
import { unfinishedDownload } from './unfinished-download.ts';
import { UserError } from './user-error.ts';

const SINGLE = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';

/** The weight files of a base folder, in a stable order, and all their tensors. */
interface BaseWeights {
  readonly files: ByteSource[];
  readonly tensors: Map<string, TensorInfo>;
}

/** Opens model.safetensors, or all shards of the index; reads headers only. Throws UserError. */
export async function openBaseWeights(folder: Folder): Promise<BaseWeights> {
  const single = await folder.open(SINGLE);
  if (single) {
    return { files: [single], tensors: (await openSafetensors(single)).tensors };
  }
  const index = await folder.open(INDEX);
  if (!index) {
    throw await noWeights(folder);
  }
  return openShards(folder, index);
}

async function openShards(folder: Folder, index: ByteSource): Promise<BaseWeights> {
  const fields = new Fields(
    index.name,
    await readJson(index, {}, MAX_BYTES.weightIndex),
    '',
    'download the base again',
  );
  const shardOf = new Map(Object.entries(fields.section('weight_map').values));
  const names = [...new Set(shardOf.values())].map((name) => checkShardName(name, folder, index)).toSorted();
  if (names.length === 0) {
    fields.refuse('weight_map', 'a shard for every tensor');
  }
  const files: ByteSource[] = [];
  const tensors = new Map<string, TensorInfo>();
  for (const name of names) {
    const file = await folder.open(name);
    if (!file) {
      const download = await unfinishedDownload(folder);
      if (download) {
        throw download;
      }
      throw new UserError(
        `${folder.name}: the shard ${shorten(name)} is missing, though ${INDEX} names it; download the rest of the base.`,
      );
    }
    files.push(file);
    for (const [tensor, info] of (await openSafetensors(file)).tensors) {
      if (shardOf.get(tensor) === name) {
        tensors.set(tensor, info);
      }
    }
  }
  for (const [tensor, shard] of shardOf) {
    if (tensors.has(tensor)) {
      continue;
    }
    throw new UserError(
      `${folder.name}: ${shorten(tensor)} is not in ${shorten(String(shard))}, where ${INDEX} says it is; download the base again.`,
    );
  }
  return { files, tensors };
}

/** A shard's name comes from a downloaded file, so it must not name anything outside the folder. */
function checkShardName(name: unknown, folder: Folder, index: ByteSource): string {
  if (typeof name === 'string' && isPickleName(name)) {
    throw pickleError(`${folder.name}/${name}, which ${INDEX} names`);
  }
  if (typeof name === 'string' && /^[^/\\:]+\.safetensors$/.test(name) && !name.startsWith('..')) {
    return name;
  }
  throw new UserError(
    `${index.name}: weight_map names the file ${quote(name)}, expected a plain .safetensors name in the same folder; download the base again.`,
  );
}

async function noWeights(folder: Folder): Promise<UserError> {
  const download = await unfinishedDownload(folder);
  if (download) {
    return download;
  }
  const pickle = (await folder.list()).find(isPickleName);
  if (pickle !== undefined) {
    return pickleError(`${folder.name}/${pickle}`);
  }
  return new UserError(
    `${folder.name}: neither ${SINGLE} nor ${INDEX} is there, expected the folder of a Hugging Face base model; choose that folder.`,
  );
}
