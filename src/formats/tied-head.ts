import type { Folder } from './byte-source.ts';
import { decodeF32, type TensorInfo } from './safetensors.ts';

export const EMBEDDING = 'model.embed_tokens.weight';
export const HEAD = 'lm_head.weight';

/** Values of each table compared at once: up to 4 MiB each. */
const PIECE = 2 ** 20;

/** The note about a base whose config.json ties two tables that differ. */
export const untiedNote = ({ name }: Folder): string =>
  `${name}: config.json says that the output head is the embedding (tie_word_embeddings), but ${HEAD} in the files differs from it; both are used, as transformers does.`;

/**
 * Whether two tables of one shape hold the same values. They are read piece by piece, side by side, up to the first
 * difference.
 *
 * References: PreTrainedModel.tie_weights of transformers 5, modeling_utils.py.
 */
export async function sameTable(a: TensorInfo, b: TensorInfo): Promise<boolean> {
  const values = a.shape.reduce((product, n) => product * n, 1);
  const [left, right] = [a, b].map((info) => ({ info, size: (info.end - info.begin) / values }));
  for (let at = 0; at < values; at += PIECE) {
    const count = Math.min(PIECE, values - at);
    const [x, y] = await Promise.all(
      [left!, right!].map(async ({ info, size }) => {
        const bytes = new Uint8Array(count * size);
        await info.source.read(info.begin + at * size, bytes);
        return bytes;
      }),
    );
    if (a.dtype === b.dtype && sameBytes(x!, y!)) {
      continue;
    }
    const other = decodeF32(b, y!);
    if (decodeF32(a, x!).some((value, i) => value !== other[i])) {
      return false;
    }
  }
  return true;
}

function sameBytes(x: Uint8Array<ArrayBuffer>, y: Uint8Array<ArrayBuffer>): boolean {
  const words = x.length >> 2;
  const [left, right] = [x, y].map(({ buffer }) => new Uint32Array(buffer, 0, words));
  return (
    left!.every((word, i) => word === right![i]) &&
    x.subarray(4 * words).every((b, i) => b === y[4 * words + i])
  );
}
