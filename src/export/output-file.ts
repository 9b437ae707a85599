import type { ByteSource } from '../formats/byte-source.ts';
import { chunksOfFile } from '../formats/chunks.ts';
import { encodeUtf8 } from '../formats/utf8.ts';

/** A file to be written: its size is known before its content is computed, which happens piece by piece. */
export interface OutputFile {
  /** Its path in the output folder; "/" separates. */
  readonly path: string;
  readonly bytes: number;
  chunks(): AsyncIterable<Uint8Array<ArrayBuffer>>;
}

/** What an export writes, and what is to be said of it. */
export interface Export {
  /** In the order of writing: what makes the output look whole comes last. */
  readonly files: readonly OutputFile[];
  /** One sentence each. */
  readonly notes: readonly string[];
  /** How to run what was written, from its folder. */
  readonly commands?: readonly string[];
}

export const exportBytes = (files: readonly OutputFile[]): number =>
  files.reduce((sum, { bytes }) => sum + bytes, 0);

export function textOutput(path: string, text: string): OutputFile {
  return bytesOutput(path, encodeUtf8(text));
}

const bytesOutput = (path: string, bytes: Uint8Array<ArrayBuffer>): OutputFile => piecesOutput(path, [bytes]);

/** A file of consecutive pieces. */
export function piecesOutput(path: string, pieces: readonly Uint8Array<ArrayBuffer>[]): OutputFile {
  return {
    path,
    bytes: pieces.reduce((sum, { length }) => sum + length, 0),

    chunks: async function* () {
      yield* pieces;
    },
  };
}

/** The same bytes under another path. */
export function copyOutput(path: string, source: ByteSource): OutputFile {
  return {
    path,
    bytes: source.size,
    chunks: async function* () {
      for await (const { bytes } of chunksOfFile(source)) {
        yield bytes;
      }
    },
  };
}
