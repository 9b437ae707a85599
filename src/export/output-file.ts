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

export function bytesOutput(path: string, bytes: Uint8Array<ArrayBuffer>): OutputFile {
  return {
    path,
    bytes: bytes.length,

    chunks: async function* () {
      yield bytes;
    },
  };
}
