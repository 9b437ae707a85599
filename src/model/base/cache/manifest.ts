import { baseFiles, type BaseModel } from '../../../formats/base-model.ts';
import { openThose, type Folder } from '../../../formats/byte-source.ts';
import { isRecord } from '../../../formats/fields.ts';
import { readJson } from '../../../formats/json.ts';
import { sha256Chunks } from '../../../formats/sha256.ts';
import { encodeUtf8 } from '../../../formats/utf8.ts';
import { TOKENIZER_FILES } from '../../../text/load-tokenizer.ts';
import quantise from '../../../../shaders/linear/nf4_quantise.wgsl';
import repack from '../../../../shaders/linear/nf4_repack.wgsl';
import { fingerprint, plainName } from './fingerprint.ts';

/** A base in the cache, as it is shown. */
export interface CachedBase {
  id: string;
  /** The folder that it was loaded from, as the user knows it. */
  name: string;
  /** Of all its files. */
  bytes: number;
  doubleQuant: boolean;
  /** Milliseconds since 1970. */
  created: number;
  lastUsed: number;
  /** SHA-256 of the base's files, as in a run's identity. */
  content: string;
}

/** What is written beside an image. */
export interface Manifest extends Omit<CachedBase, 'id' | 'bytes'> {
  /** What the quantizer was when the image was made. */
  layout: string;
  /** Whether the output head is the embedding; earlier versions did not write it. */
  tied?: boolean;
  /** Of the image's tensors. */
  checksum: string;
  /** Likenesses of folders whose files were read whole and had this content, the latest last. */
  fingerprints: string[];
}

export const MANIFEST = 'manifest.json';
export const IMAGE = 'base.safetensors';

/** Beside the weights: what opening a base and its tokenizer reads. */
export const SMALL_FILES = [
  'config.json',
  'generation_config.json',
  'model.safetensors.index.json',
  ...TOKENIZER_FILES,
];

/** The name of such a file in an entry of the cache, which has no folders. */
export const cachedName = (file: string): string => file.replaceAll('/', '__');

/** To be raised whenever images are written differently, or what they hold changes its place on the device. */
const IMAGE_VERSION = 1;

/**
 * What is written of an entry; undefined where another version of Retune wrote it, or something else did. Throws
 * UserError where it is no JSON.
 */
export async function readManifest(folder: Folder): Promise<Manifest | undefined> {
  const file = await folder.open(MANIFEST);
  if (!file) return undefined;
  const json = await readJson(file);
  return isManifest(json) ? json : undefined;
}

const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';

/** As many milliseconds as a Date holds, on either side of 1970. */
const MAX_TIME = 8.64e15;
const isTime = (value: unknown): boolean => Number.isInteger(value) && Math.abs(value as number) <= MAX_TIME;

function isManifest(json: unknown): json is Manifest {
  if (!isRecord(json)) return false;
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

/** The likeness of a base's files as they are now; they are opened anew. */
export async function fingerprintOf(model: BaseModel): Promise<string | undefined> {
  const { folder } = model;
  const names = new Set([...baseFiles(model).map(({ name }) => plainName(name)), ...SMALL_FILES]);
  return fingerprint(await openThose(folder, [...names]));
}

/** Changes with the order in which the quantizer lays out codes: it is what the kernels say. */
export async function currentLayout(): Promise<string> {
  return sha256Chunks([encodeUtf8(`${IMAGE_VERSION}\n${quantise}${repack}`)]);
}
