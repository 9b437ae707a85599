import { writeIntLists } from '../formats/parquet/write.ts';
import type { EncodedRow } from '../text/rows.ts';

/** The label of what is not trained, in PyTorch. */
const IGNORED = -100;

/** Rows as tokens and labels in Parquet, under the names that transformers and axolotl know. */
export function tokenRows(rows: readonly EncodedRow[]): Uint8Array<ArrayBuffer>[] {
  const labels = ({ ids, trained }: EncodedRow) =>
    Int32Array.from(ids, (id, i) => (i > 0 && trained[i] === 1 ? id : IGNORED));
  return writeIntLists(
    [
      { name: 'input_ids', lists: rows.map(({ ids }) => Int32Array.from(ids)) },
      { name: 'attention_mask', lists: rows.map(({ ids }) => new Int32Array(ids.length).fill(1)) },
      { name: 'labels', lists: rows.map(labels) },
    ],
    'Retune',
  );
}
