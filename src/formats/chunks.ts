import type { ByteSource } from './byte-source.ts';

/** A piece of a file's content, and the part of the file that it comes from: the file may be packed. */
export interface FileChunk {
  bytes: Uint8Array<ArrayBuffer>;
  /** Bytes [begin, end) of the file. */
  begin: number;
  end: number;
}

const CHUNK = 1 << 20;

/** A file's bytes, piece by piece. */
export async function* chunksOfFile(source: ByteSource): AsyncGenerator<FileChunk> {
  for (let begin = 0; begin < source.size; begin += CHUNK) {
    const bytes = new Uint8Array(Math.min(CHUNK, source.size - begin));
    await source.read(begin, bytes);
    yield { bytes, begin, end: begin + bytes.length };
  }
}

/** Where in the file the byte at `offset` of a piece's content lies; of a packed file, about where. */
export const placeInFile = ({ bytes, begin, end }: FileChunk, offset: number): number =>
  bytes.length === 0 ? end : begin + Math.floor(((end - begin) * offset) / bytes.length);

/** The piece without its first `count` bytes. */
export const withoutStart = (chunk: FileChunk, count: number): FileChunk => ({
  bytes: chunk.bytes.subarray(count),
  begin: placeInFile(chunk, count),
  end: chunk.end,
});
