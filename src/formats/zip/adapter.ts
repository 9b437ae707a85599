import { pickleError } from '../pickle.ts';
import { quoteAll, shorten } from '../quote.ts';
import { UserError } from '../user-error.ts';
import { readZip, type ZipEntry } from './reader.ts';

/** Far more than an adapter and its checkpoints have. */
const LIMITS = { entries: 10_000, path: 1000, bytes: 4e9 } as const;
const CONFIG = 'adapter_config.json';
const REMEDY =
  'choose a zip of an adapter, with adapter_config.json and adapter_model.safetensors, or the adapter’s folder';
/** What of an adapter's folder is read: the adapter, and how Retune made it. */
const READ =
  /^(?:adapter_config\.json|adapter_model\.safetensors|retune_state\.json|trainer_state\.json|training_config\.yaml)$/;
const PICKLE = /^adapter_model\.bin$|\.pkl$/;
/** What macOS adds to each zip. */
const RESOURCES = /^__MACOSX\//;

/** Files that say what else a zip is, and what to do with it. */
const OTHERS: readonly (readonly [file: RegExp, what: string])[] = [
  [/^retune-run\.json$/, 'an exported run; import it under Runs and continue from there'],
  [/^(?:.*\/)?model.*\.safetensors$/, 'a whole model; unpack it and choose its folder as the base model'],
  [/^xl\/workbook/, 'an Excel workbook; save its table as CSV and choose it as rows'],
  [/^word\/document/, 'a Word document; put its texts into a table and choose it as rows'],
  [/\.(?:jsonl|csv|tsv|parquet)$/, 'rows; unpack them and choose the file as rows'],
];

/** An adapter in a zip. */
export interface ZippedAdapter {
  /** Its folder in the zip; '' at the top. */
  folder: string;
  /** Its files by name. */
  files: ReadonlyMap<string, ZipEntry>;
}

/**
 * The adapter in a zip, that of the result where its checkpoints lie below it: as Retune exports it, or as others pack
 * its folder. Only the zip's directory is read. Throws UserError.
 */
export async function adapterInZip(file: File): Promise<ZippedAdapter> {
  const entries = (await readZip(file, LIMITS, REMEDY)).filter(({ path }) => !RESOURCES.test(path));
  const refuse = (what: string) => new UserError(`${shorten(file.name)}: ${what}.`);
  const folders = entries
    .map(({ path }) => path)
    .filter((path) => nameOf(path) === CONFIG)
    .map((path) => path.slice(0, -CONFIG.length));
  const top = Math.min(...folders.map(depthOf));
  const [folder, ...others] = folders.filter((one) => depthOf(one) === top);
  if (others.length > 0) {
    throw refuse(
      `it holds ${others.length + 1} adapters (${quoteAll([folder, ...others])}); unpack it and choose one of these folders`,
    );
  }
  if (folder === undefined) {
    const paths = entries.map(({ path }) => path);
    const other = OTHERS.find(([pattern]) => paths.some((path) => pattern.test(path)))?.[1];
    const pickle = paths.find((path) => PICKLE.test(nameOf(path)));
    throw !other && pickle !== undefined
      ? pickleError(`${shorten(file.name)}/${shorten(pickle)}`)
      : refuse(other ? `this is ${other}` : `there is no ${CONFIG} in it; ${REMEDY}`);
  }
  const own = entries.filter(
    ({ path }) => path.startsWith(folder) && !path.slice(folder.length).includes('/'),
  );
  const pickle = own.find(({ path }) => PICKLE.test(nameOf(path)));
  if (pickle && !own.some(({ path }) => nameOf(path) === 'adapter_model.safetensors')) {
    throw pickleError(`${shorten(file.name)}/${shorten(pickle.path)}`);
  }
  const files = own.filter(({ path }) => READ.test(nameOf(path)));
  return { folder, files: new Map(files.map((entry) => [nameOf(entry.path), entry])) };
}

const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
const depthOf = (folder: string): number => folder.split('/').length;
