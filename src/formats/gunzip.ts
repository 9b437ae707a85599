// Reference: RFC 1952 (gzip).
import type { ByteSource } from './byte-source.ts';
import { chunksOfFile, type FileChunk } from './chunks.ts';
import { inflate, UnpackedBytes } from './inflate.ts';
import { UserError } from './user-error.ts';

export const isGzip = (start: Uint8Array): boolean => start[0] === 0x1f && start[1] === 0x8b;

/** The content of a gzip file, piece by piece, compared with its checksum. Throws UserError. */
export async function* gunzip(source: ByteSource): AsyncGenerator<FileChunk> {
  const damaged = () =>
    new UserError(
      `${source.name}: damaged or cut off, as its gzip checksum shows, or several gzip files in one; copy it again, or unpack it with "gunzip" and choose that file.`,
    );
  const unpacked = new UnpackedBytes(source);
  let read = 0;
  async function* packed() {
    for await (const { bytes, end } of chunksOfFile(source)) {
      read = end;
      yield bytes;
    }
  }
  let begin = 0;
  for await (const bytes of inflate(packed(), 'gzip', damaged)) {
    unpacked.add(bytes.length);
    yield { bytes, begin, end: read };
    begin = read;
  }
}
