import { type FileChunk, withoutStart } from '../formats/chunks.ts';
import { UserError } from '../formats/user-error.ts';
import { encodeUtf8 } from '../formats/utf8.ts';

const BOM = [0xef, 0xbb, 0xbf];

/**
 * Text in UTF-8 without a byte-order mark: as it is, or converted from the UTF-16 of Excel's "Unicode text" and of
 * PowerShell's `>`. Throws UserError.
 */
export async function* asUtf8(name: string, chunks: AsyncIterable<FileChunk>): AsyncGenerator<FileChunk> {
  let decoder: TextDecoder | undefined;
  let first = true;
  for await (const chunk of chunks) {
    if (first) {
      first = false;
      const encoding = utf16Of(chunk.bytes);
      decoder = encoding && new TextDecoder(encoding, { fatal: true });
      yield* decoder
        ? converted(name, decoder, chunk)
        : [BOM.every((byte, i) => chunk.bytes[i] === byte) ? withoutStart(chunk, BOM.length) : chunk];
    } else if (decoder) {
      yield* converted(name, decoder, chunk);
    } else {
      yield chunk;
    }
  }
  if (decoder) {
    yield* converted(name, decoder, undefined);
  }
}

/** By the byte-order mark, or the zeros of which UTF-16 consists where a text begins in ASCII. */
function utf16Of([a, b, c, d]: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  if ((a === 0xff && b === 0xfe) || (a !== 0 && b === 0 && c !== 0 && d === 0)) {
    return 'utf-16le';
  }
  return (a === 0xfe && b === 0xff) || (a === 0 && b !== 0 && c === 0 && d !== 0) ? 'utf-16be' : undefined;
}

/** A chunk as UTF-8; undefined ends the text. */
function* converted(name: string, decoder: TextDecoder, chunk: FileChunk | undefined): Generator<FileChunk> {
  try {
    const text = decoder.decode(chunk?.bytes, { stream: chunk !== undefined });
    if (chunk && text !== '') {
      yield { ...chunk, bytes: encodeUtf8(text) };
    }
  } catch {
    throw new UserError(
      `${name}: not valid UTF-16, as its first bytes say that it is; save the file as UTF-8.`,
    );
  }
}
