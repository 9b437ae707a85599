import type { ByteSource } from '../../../formats/byte-source.ts';
import { sha256Chunks } from '../../../formats/sha256.ts';
import { encodeUtf8 } from '../../../formats/utf8.ts';

/** Files up to this size are read whole; of larger ones the beginning, the end and pieces between. */
const WHOLE_BYTES = 2 ** 20;
const SAMPLES = 32;
const SAMPLE_BYTES = 2 ** 12;

/**
 * What tells files apart without reading gigabytes: names, sizes, times of the last change, and a sample of the bytes.
 * Undefined where a file does not say when it was changed last.
 */
export async function fingerprint(files: readonly ByteSource[]): Promise<string | undefined> {
  const parts: Uint8Array[] = [];
  for (const file of files) {
    const { name, size, modified } = file;
    if (modified === undefined) return undefined;
    parts.push(encodeUtf8(JSON.stringify([plainName(name), size, modified])));
    for (const [begin, end] of samples(size)) {
      const bytes = new Uint8Array(end - begin);
      await file.read(begin, bytes);
      parts.push(bytes);
    }
  }
  return sha256Chunks(parts);
}

/** A file's name without the folders before it. */
export const plainName = (name: string): string => name.split(/[/\\]/).at(-1)!;

/** The header of a safetensors file lies in what is read of its beginning, or most of it. */
function samples(size: number): [begin: number, end: number][] {
  if (size <= WHOLE_BYTES) return [[0, size]];
  const last = size - SAMPLE_BYTES;
  const between = Array.from({ length: SAMPLES }, (_, i): [number, number] => {
    const begin = WHOLE_BYTES / 4 + Math.floor(((last - WHOLE_BYTES / 4) * (i + 1)) / SAMPLES);
    return [begin, begin + SAMPLE_BYTES];
  });
  return [[0, WHOLE_BYTES / 4], ...between];
}
