import { UserError } from '../formats/user-error.ts';

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
const END_BYTES = 22;
const LONGEST_COMMENT = 0xffff;
const [STORED, DEFLATED] = [0, 8];
const REMEDY = 'choose a zip that Retune has exported, or export it again';

/** A file of a zip. */
export interface ZipEntry {
  path: string;
  /** Bytes of its content. */
  size: number;
  /** Its content; throws UserError where that is not what the zip says. */
  open(): Promise<Blob>;
}

/**
 * The files of a zip, by its directory: nothing of them is read, and what is stored (as Retune does it) stays where
 * it is. Folders are passed over. Throws UserError for anything that is not a plain zip below 4 GiB.
 */
export async function readZip(file: File): Promise<ZipEntry[]> {
  const broken = (what: string): UserError => new UserError(`${file.name}: ${what}; ${REMEDY}.`);
  const tailAt = Math.max(0, file.size - END_BYTES - LONGEST_COMMENT);
  const tail = await view(file, tailAt, file.size);
  let end = tail.byteLength - END_BYTES;
  while (end >= 0 && tail.getUint32(end, true) !== END) end--;
  if (end < 0) throw broken('this is not a zip file, or its end is missing');
  const count = tail.getUint16(end + 10, true);
  const [size, begin] = [tail.getUint32(end + 12, true), tail.getUint32(end + 16, true)];
  if (count === 0xffff || begin === 0xffffffff) throw broken('it is a zip of the kind for more than 4 GiB');
  if (begin + size > tailAt + end)
    throw broken('its directory does not fit into it, so it is cut or damaged');
  const directory = await view(file, begin, begin + size);
  const entries: ZipEntry[] = [];
  for (let at = 0, n = 0; n < count; n++) {
    if (at + 46 > size || directory.getUint32(at, true) !== ENTRY) throw broken('its directory is damaged');
    const u16 = (offset: number) => directory.getUint16(at + offset, true);
    const u32 = (offset: number) => directory.getUint32(at + offset, true);
    const name = new Uint8Array(directory.buffer, at + 46, Math.min(u16(28), size - at - 46));
    const path = new TextDecoder().decode(name);
    const entry = { method: u16(10), packed: u32(20), size: u32(24), local: u32(42), encrypted: u16(8) & 1 };
    at += 46 + u16(28) + u16(30) + u16(32);
    if (path.endsWith('/')) continue;
    if (entry.encrypted || (entry.method !== STORED && entry.method !== DEFLATED))
      throw broken(`${path} in it is encrypted, or packed in another way than zip's usual one`);
    if (entry.method === STORED && entry.packed !== entry.size) throw broken(`${path} in it is damaged`);
    entries.push({
      path,
      size: entry.size,
      open: async () => {
        const local = await view(file, entry.local, entry.local + 30);
        if (local.byteLength < 30 || local.getUint32(0, true) !== LOCAL)
          throw broken(`${path} in it is damaged`);
        const from = entry.local + 30 + local.getUint16(26, true) + local.getUint16(28, true);
        if (from + entry.packed > begin) throw broken(`${path} in it is cut off`);
        const content = file.slice(from, from + entry.packed);
        if (entry.method === STORED) return content;
        const whole = await inflated(content, entry.size).catch(() => undefined);
        if (whole?.size !== entry.size) throw broken(`${path} in it is damaged`);
        return whole;
      },
    });
  }
  return entries;
}

async function view(file: File, begin: number, end: number): Promise<DataView<ArrayBuffer>> {
  return new DataView(await file.slice(begin, end).arrayBuffer());
}

/** Unpacks no more than was announced, so that a small zip cannot fill the disk. */
async function inflated(packed: Blob, size: number): Promise<Blob> {
  const pieces: Blob[] = [];
  let bytes = 0;
  const reader = packed.stream().pipeThrough(new DecompressionStream('deflate-raw')).getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    bytes += next.value.length;
    if (bytes > size) throw new Error('longer than announced');
    pieces.push(new Blob([next.value as Uint8Array<ArrayBuffer>]));
  }
  return new Blob(pieces);
}
