import { stepWindows, type StepWindow } from './window.ts';
import type { Grouping } from './schedule.ts';

/** Rows that are packed together, in the order of the file: datasets maps so many at a time. */
const BATCH = 1000;

/**
 * Rows that share a sequence of at most `capacity` tokens, as indices; no row is longer. Best fit decreasing over every
 * thousand rows: the longest first, each into the fullest sequence that has room. Reference: TRL, trl/data_utils.py
 * (pack_dataset, strategy bfd), after https://huggingface.co/papers/2404.10830.
 */
export function packRows(lengths: readonly number[], capacity: number): number[][] {
  const packs: number[][] = [];
  for (let begin = 0; begin < lengths.length; begin += BATCH) {
    const indices = Array.from({ length: Math.min(BATCH, lengths.length - begin) }, (_, i) => begin + i);
    const bySpace = new Map<number, number[][]>();
    for (const index of indices.toSorted((a, b) => lengths[b]! - lengths[a]!)) {
      const length = lengths[index]!;
      let space = Infinity;
      for (const candidate of bySpace.keys()) if (candidate >= length && candidate < space) space = candidate;
      const fitting = bySpace.get(space) ?? [];
      let pack = fitting.shift();
      if (fitting.length === 0) bySpace.delete(space);
      if (!pack) {
        packs.push((pack = []));
        space = capacity;
      }
      pack.push(index);
      const left = space - length;
      if (left > 0) bySpace.set(left, [...(bySpace.get(left) ?? []), pack]);
    }
  }
  return packs;
}

/** The rows of a step, where `grouping` counts packs: each stands for its rows. */
export function rowWindows(
  { grouping, packs }: { grouping: Grouping; packs?: readonly (readonly number[])[] | undefined },
  seed: number,
): (step: number) => StepWindow {
  const window = stepWindows(grouping, seed);
  if (!packs) return window;
  return (step) => {
    const { epoch, rows } = window(step);
    return { epoch, rows: rows.map((batch) => batch.flatMap((pack) => packs[pack]!)) };
  };
}
