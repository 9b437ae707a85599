import { packWindow, type PlacedRow } from '../text/packing.ts';
import type { EncodedRow } from '../text/rows.ts';
import type { PassRunner } from './step.ts';

/** The result of an evaluation. */
export interface Evaluation {
  /** Mean over rows of the mean token loss of the row's batch, as transformers reports it. */
  loss: number;
  rows: number;
}

/**
 * Evaluates rows in the recipe's batches. Rows are packed into passes of up to `passTokens` tokens, which affects
 * speed only. Rejects with the signal's reason.
 */
export async function evaluate(
  runner: PassRunner,
  rows: readonly EncodedRow[],
  call: {
    batch: number;
    passTokens: number;
    onProgress?: (done: number) => void;
    signal?: AbortSignal | undefined;
    /** Awaited after every pass. */
    onPassEnd?: () => Promise<void>;
  },
): Promise<Evaluation> {
  const sums = new Float64Array(rows.length);
  const counts = new Float64Array(rows.length);
  let done = 0;
  for (const group of inGroups(rows, call.passTokens)) {
    for (const pass of packWindow(group, call.passTokens)) {
      const losses = await runner.evaluate(pass, call.signal);
      pass.targets.rowOf.forEach((row, i) => {
        sums[row]! += losses[i]!;
        counts[row]!++;
      });
      await call.onPassEnd?.();
      call.signal?.throwIfAborted();
    }
    done += group.length;
    call.onProgress?.(done);
  }
  let total = 0;
  for (let begin = 0; begin < rows.length; begin += call.batch) {
    const end = Math.min(rows.length, begin + call.batch);
    const sum = sums.subarray(begin, end).reduce((a, b) => a + b, 0);
    const count = counts.subarray(begin, end).reduce((a, b) => a + b, 0);
    total += (end - begin) * (sum / count);
  }
  return { loss: total / rows.length, rows: rows.length };
}

/** Consecutive rows that together fill one pass. */
function* inGroups(rows: readonly EncodedRow[], passTokens: number): Generator<PlacedRow[]> {
  let group: PlacedRow[] = [];
  let tokens = 0;
  for (const [index, row] of rows.entries()) {
    if (group.length > 0 && tokens + row.ids.length > passTokens) {
      yield group;
      group = [];
      tokens = 0;
    }
    group.push({ row, index });
    tokens += row.ids.length;
  }
  if (group.length > 0) {
    yield group;
  }
}
