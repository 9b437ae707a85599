// References: file(1), magic/Magdir (first bytes); ECMA-376 (Office Open XML); PKWARE APPNOTE.TXT (zip).
import type { ByteSource } from './byte-source.ts';
import { isLfsPointer, lfsError } from './lfs-pointer.ts';
import { shorten } from './quote.ts';
import { UserError } from './user-error.ts';

/** What a file is, by its content, and how to get what was expected from it. */
interface Foreign {
  what: string;
  remedy: string;
}

const TABLE_REMEDY = 'save the table as CSV (in Excel: Save As, "CSV UTF-8") and choose that file';
const TEXT_REMEDY = 'put its texts into a table or JSONL, one example per row';
const UNPACK = 'unpack it and choose the file in it';
const MODEL = 'a model, which belongs to the base model or the adapter';
const TO_PARQUET = 'write it as Parquet or JSONL, as with pandas or datasets';

const ascii = (text: string): number[] => [...text].map((char) => char.charCodeAt(0));

/** Beginnings of files. A zip and a pickle are told apart below. */
const BEGINNINGS: readonly (readonly [start: readonly number[], found: Foreign])[] = [
  [ascii('%PDF-'), { what: 'a PDF document', remedy: TEXT_REMEDY }],
  [
    [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1],
    { what: 'an old or password-protected Office file (xls, doc, …)', remedy: TABLE_REMEDY },
  ],
  [ascii('{\\rtf'), { what: 'an RTF document', remedy: TEXT_REMEDY }],
  [ascii('GGUF'), { what: `GGUF, ${MODEL}`, remedy: 'choose the rows' }],
  [[0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], { what: 'a 7z archive', remedy: UNPACK }],
  [ascii('Rar!'), { what: 'a RAR archive', remedy: UNPACK }],
  [ascii('BZh'), { what: 'packed with bzip2', remedy: UNPACK }],
  [[0xfd, ...ascii('7zXZ'), 0], { what: 'packed with xz', remedy: UNPACK }],
  [[0x28, 0xb5, 0x2f, 0xfd], { what: 'packed with Zstandard', remedy: UNPACK }],
  [[0x04, 0x22, 0x4d, 0x18], { what: 'packed with LZ4', remedy: UNPACK }],
  [ascii('PARE'), { what: 'an encrypted Parquet file', remedy: TO_PARQUET }],
  [ascii('ARROW1'), { what: 'an Arrow or Feather file', remedy: TO_PARQUET }],
  [[0xff, 0xff, 0xff, 0xff], { what: 'an Arrow stream', remedy: TO_PARQUET }],
  [ascii('FEA1'), { what: 'a Feather file', remedy: TO_PARQUET }],
  [ascii('Obj\u0001'), { what: 'an Avro file', remedy: TO_PARQUET }],
  [[0x93, ...ascii('NUMPY')], { what: 'a NumPy file', remedy: TO_PARQUET }],
  [[0x89, ...ascii('HDF')], { what: 'an HDF5 file', remedy: TO_PARQUET }],
  [ascii('SQLite format 3'), { what: 'an SQLite database', remedy: 'export its table as CSV' }],
  [[0x89, ...ascii('PNG')], { what: 'a picture (PNG)', remedy: 'choose the rows' }],
  [[0xff, 0xd8, 0xff], { what: 'a picture (JPEG)', remedy: 'choose the rows' }],
  [ascii('GIF8'), { what: 'a picture (GIF)', remedy: 'choose the rows' }],
  [[0x7f, ...ascii('ELF')], { what: 'a program', remedy: 'choose the rows' }],
];

/** Names of files in a zip that say what it is. */
const IN_ZIP: readonly (readonly [name: string, found: Foreign])[] = [
  ['xl/workbook', { what: 'an Excel workbook (xlsx)', remedy: TABLE_REMEDY }],
  ['word/document', { what: 'a Word document (docx)', remedy: TEXT_REMEDY }],
  ['ppt/presentation', { what: 'a PowerPoint file (pptx)', remedy: TEXT_REMEDY }],
  ['opendocument.spreadsheet', { what: 'an OpenDocument table (ods)', remedy: TABLE_REMEDY }],
  ['opendocument.text', { what: 'an OpenDocument text (odt)', remedy: TEXT_REMEDY }],
  ['epub+zip', { what: 'an e-book (EPUB)', remedy: TEXT_REMEDY }],
  [
    'data.pkl',
    {
      what: 'a PyTorch pickle, and pickle files are never opened because they can run code',
      remedy: 'choose the rows',
    },
  ],
  ['.safetensors', { what: `a zip with ${MODEL}`, remedy: 'choose the rows' }],
];
const ZIP: Foreign = { what: 'a zip archive', remedy: UNPACK };
const PICKLE: Foreign = {
  what: 'a pickle, and pickle files are never opened because they can run code',
  remedy: TO_PARQUET,
};
const TAR: Foreign = { what: 'a tar archive', remedy: UNPACK };
const PAGE: Foreign = {
  what: 'a web page (HTML), as where a download needs a login',
  remedy: 'download the file itself',
};
const XML: Foreign = { what: 'XML', remedy: TEXT_REMEDY };
const SAFETENSORS: Foreign = { what: `safetensors, ${MODEL}`, remedy: 'choose the rows' };

/** Bytes at a file's start by which it is recognized: a tar archive's mark is at 257. */
export const START_BYTES = 512;
/** Bytes at a zip's end in which the names of its files are looked for. */
const TAIL_BYTES = 64 * 1024;

const begins = (start: Uint8Array, bytes: readonly number[]): boolean =>
  bytes.every((byte, i) => start[i] === byte);
const latin1 = (bytes: Uint8Array): string => new TextDecoder('latin1').decode(bytes);

export const isZip = (start: Uint8Array): boolean =>
  begins(start, [...ascii('PK'), 3, 4]) || begins(start, [...ascii('PK'), 5, 6]);

/** What a file is that cannot hold rows of text; undefined where it may. `start`: its first bytes, unpacked. */
export async function foreignFile(source: ByteSource, start: Uint8Array): Promise<UserError | undefined> {
  if (isLfsPointer(start)) {
    return lfsError(source.name);
  }
  const found = BEGINNINGS.find(([bytes]) => begins(start, bytes))?.[1] ?? (await otherwise(source, start));
  return (
    found &&
    new UserError(
      `${shorten(source.name)}: this is ${found.what}, expected rows as JSONL, JSON, CSV, TSV or Parquet; ${found.remedy}.`,
    )
  );
}

async function otherwise(source: ByteSource, start: Uint8Array): Promise<Foreign | undefined> {
  if (isZip(start)) {
    const names = latin1(start) + latin1(await tailOf(source));
    return IN_ZIP.find(([name]) => names.includes(name))?.[1] ?? ZIP;
  }
  if (isBarePickle(start)) {
    return PICKLE;
  }
  const text = latin1(start);
  if (text.slice(257, 262) === 'ustar') {
    return TAR;
  }
  const head = text.trimStart().slice(0, 15).toLowerCase();
  if (head.startsWith('<!doctype html') || head.startsWith('<html')) {
    return PAGE;
  }
  if (head.startsWith('<?xml')) {
    return XML;
  }
  return isSafetensors(start) ? SAFETENSORS : undefined;
}

/** Of protocol 2 to 5. */
const isBarePickle = ([first, protocol = 0]: Uint8Array): boolean =>
  first === 0x80 && protocol >= 2 && protocol <= 5;

/** The header's length in eight bytes, and its opening brace. */
const isSafetensors = (start: Uint8Array): boolean =>
  start[8] === 0x7b && start.subarray(4, 8).every((byte) => byte === 0) && start[3] === 0;

async function tailOf(source: ByteSource): Promise<Uint8Array> {
  const tail = new Uint8Array(Math.min(TAIL_BYTES, source.size));
  await source.read(source.size - tail.length, tail);
  return tail;
}
