import type { Grouping } from './schedule.ts';
import { type StepWindow, stepWindows } from './window.ts';

/** Rows packed together, in file order: `datasets` maps batches of this size. */
const BATCH = 1000;

/**
 * Groups rows, given by index, that share a sequence of at most `capacity` tokens; no row may be longer. Best fit
 * decreasing over every thousand rows: the longest first, each into the fullest sequence that has space.
 *
 * References: TRL, trl/data_utils.py (pack_dataset, strategy bfd); H. Ding et al., "Fewer Truncations Improve
 * Language Modeling", arXiv:2404.10830.
 */
export function packRows(lengths: readonly number[], capacity: number): number[][] {
  const packs: number[][] = [];
  for (let begin = 0; begin < lengths.length; begin += BATCH) {
    const indices = Array.from({ length: Math.min(BATCH, lengths.length - begin) }, (_, i) => begin + i);
    const bySpace = new Map<number, number[][]>();
    for (const index of indices.toSorted((a, b) => lengths[b]! - lengths[a]!)) {
      const length = lengths[index]!;
      let space = Infinity;
      for (const candidate of bySpace.keys()) {
        if (candidate >= length && candidate < space) {
          space = candidate;
        }
      }
      const fitting = bySpace.get(space) ?? [];
      let pack = fitting.shift();
      if (fitting.length === 0) {
        bySpace.delete(space);
      }
      if (!pack) {
        packs.push((pack = []));
        space = capacity;
      }
      pack.push(index);
      const left = space - length;
      if (left > 0) {
        bySpace.set(left, [...(bySpace.get(left) ?? []), pack]);
      }
    }
  }
  return packs;
}

/** The rows of each step if `grouping` counts packs: each pack stands for its rows. */
export function rowWindows(
  { grouping, packs }: { grouping: Grouping; packs?: readonly (readonly number[])[] | undefined },
  seed: number,
): (step: number) => StepWindow {
  const window = stepWindows(grouping, seed);
  if (!packs) {
    return window;
  }
  return (step) => {
    const { epoch, rows } = window(step);
    return { epoch, rows: rows.map((batch) => batch.flatMap((pack) => packs[pack]!)) };
  };
}
