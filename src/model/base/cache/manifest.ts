import { baseFiles, type BaseModel } from '../../../formats/base-model.ts';
import { type Folder, openThose } from '../../../formats/byte-source.ts';
import { isRecord } from '../../../formats/fields.ts';
import { readJson } from '../../../formats/json.ts';
import { TOKENIZER_FILES } from '../../../text/load-tokenizer.ts';
import { fingerprint, plainName } from './fingerprint.ts';

/** A cached base, as shown to the user. */
export interface CachedBase {
  id: string;
  /** The folder it was loaded from, as the user knows it. */
  name: string;
  /** Total bytes of its files. */
  bytes: number;
  doubleQuant: boolean;
  /** Milliseconds since 1970. */
  created: number;
  lastUsed: number;
  /** SHA-256 of the base's files, as in a run's identity. */
  content: string;
}

/** The manifest stored beside an image. */
export interface Manifest extends Omit<CachedBase, 'id' | 'bytes'> {
  /** Hash of the quantizer that made the image. */
  layout: string;
  /** Whether the output head is the embedding; earlier versions did not store it. */
  tied?: boolean;
  /** Checksum of the image's tensors. */
  checksum: string;
  /** Fingerprints of folders whose files, read whole, had this content; the latest last. */
  fingerprints: string[];
}

export const MANIFEST = 'manifest.json';
export const IMAGE = 'base.safetensors';

/** Stored beside the weights: what opening a base and its tokenizer reads. */
export const SMALL_FILES = [
  'config.json',
  'generation_config.json',
  'model.safetensors.index.json',
  ...TOKENIZER_FILES,
];

/** The name of such a file in a cache entry, which has no folders. */
export const cachedName = (file: string): string => file.replaceAll('/', '__');

/**
 * How images lie on disk and on the device: where `nf4_quantize.wgsl` and `nf4_repack.wgsl` put codes, and what is
 * written around them. Images of another layout are made anew. To be replaced by any other value whenever one of these
 * changes; a test notices changes of the kernels. The value is what earlier versions hashed of the kernels' text.
 */
export const IMAGE_LAYOUT = '63e3f990ef0e0a1d4760e429a262266aa75d09104984a01ac5266a8d64b9f1d9';

/**
 * Parses a manifest; undefined if another version of Retune, or something else, wrote it. Throws UserError if it is
 * not JSON.
 */
export async function readManifest(folder: Folder): Promise<Manifest | undefined> {
  const file = await folder.open(MANIFEST);
  if (!file) {
    return undefined;
  }
  const json = await readJson(file);
  return isManifest(json) ? json : undefined;
}

const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';

/** Milliseconds that a Date can hold, on either side of 1970. */
const MAX_TIME = 8.64e15;
const isTime = (value: unknown): boolean => Number.isInteger(value) && Math.abs(value as number) <= MAX_TIME;

function isManifest(json: unknown): json is Manifest {
  if (!isRecord(json)) {
    return false;
  }
  const { name, doubleQuant, created, lastUsed, content, layout, checksum, fingerprints } = json;
  return (
    typeof name === 'string' &&
    [content, layout, checksum].every(isText) &&
    typeof doubleQuant === 'boolean' &&
    [created, lastUsed].every(isTime) &&
    Array.isArray(fingerprints) &&
    fingerprints.every(isText)
  );
}

/** The fingerprint of a base's files as they are now; opens them anew. */
export async function fingerprintOf(model: BaseModel): Promise<string | undefined> {
  const { folder } = model;
  const names = new Set([...baseFiles(model).map(({ name }) => plainName(name)), ...SMALL_FILES]);
  return fingerprint(await openThose(folder, [...names]));
}
