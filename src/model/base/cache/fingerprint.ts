import type { ByteSource } from '../../../formats/byte-source.ts';
import { sha256Chunks } from '../../../formats/sha256.ts';
import { encodeUtf8 } from '../../../formats/utf8.ts';

/** Files up to this size are read whole; larger ones are sampled at the beginning, the end and in between. */
const WHOLE_BYTES = 2 ** 20;
const SAMPLES = 32;
const SAMPLE_BYTES = 2 ** 12;

/**
 * Distinguishes files without reading gigabytes: names, sizes, modification times and a sample of the bytes.
 * Undefined if a file has no modification time.
 */
export async function fingerprint(files: readonly ByteSource[]): Promise<string | undefined> {
  const parts: Uint8Array[] = [];
  for (const file of files) {
    const { name, size, modified } = file;
    if (modified === undefined) {
      return undefined;
    }
    parts.push(encodeUtf8(JSON.stringify([plainName(name), size, modified])));
    for (const [begin, end] of samples(size)) {
      const bytes = new Uint8Array(end - begin);
      await file.read(begin, bytes);
      parts.push(bytes);
    }
  }
  return sha256Chunks(parts);
}

/** A file's name without its folders. */
export const plainName = (name: string): string => name.split(/[/\\]/).at(-1)!;

/** Samples at the beginning of the file cover a safetensors header, or most of it. */
function samples(size: number): [begin: number, end: number][] {
  if (size <= WHOLE_BYTES) {
    return [[0, size]];
  }
  const last = size - SAMPLE_BYTES;
  const between = Array.from({ length: SAMPLES }, (_, i): [number, number] => {
    const begin = WHOLE_BYTES / 4 + Math.floor(((last - WHOLE_BYTES / 4) * (i + 1)) / SAMPLES);
    return [begin, begin + SAMPLE_BYTES];
  });
  return [[0, WHOLE_BYTES / 4], ...between];
}
