import type { Pass } from '../text/packing.ts';

/** A sequence being generated. */
export interface Sequence {
  readonly prompt: readonly number[];
  /** The ids generated so far. */
  readonly ids: readonly number[];
  /** First of its slots in the cache. */
  readonly firstSlot: number;
}

/** A pass and the cache slot of each of its tokens. `targets.index`: the tokens whose successor is wanted. */
export interface CachedPass {
  pass: Pass;
  slots: Uint32Array;
}

/** All prompts, one after another; each attends to itself within the pass. */
export function prefillPass(sequences: readonly Sequence[]): CachedPass {
  const tokens = sequences.reduce((sum, { prompt }) => sum + prompt.length, 0);
  const { pass, slots } = emptyPass(tokens, sequences.length);
  let begin = 0;
  sequences.forEach(({ prompt, firstSlot }, row) => {
    const end = begin + prompt.length;
    pass.ids.set(prompt, begin);
    pass.docBegin.fill(begin, begin, end);
    pass.docEnd.fill(end, begin, end);
    pass.rowOf.fill(row, begin, end);
    for (let i = 0; i < prompt.length; i++) {
      pass.positions[begin + i] = i;
      slots[begin + i] = firstSlot + i;
    }
    pass.targets.index[row] = end - 1;
    begin = end;
  });
  return { pass, slots };
}

/** The latest token of each sequence; docBegin and docEnd are the cache slots it attends to. */
export function decodePass(sequences: readonly Sequence[]): CachedPass {
  const { pass, slots } = emptyPass(sequences.length, sequences.length);
  sequences.forEach(({ prompt, ids, firstSlot }, row) => {
    const position = prompt.length + ids.length - 1;
    pass.ids[row] = ids.at(-1)!;
    pass.positions[row] = position;
    pass.docBegin[row] = firstSlot;
    pass.docEnd[row] = firstSlot + position + 1;
    pass.rowOf[row] = row;
    slots[row] = firstSlot + position;
    pass.targets.index[row] = row;
  });
  return { pass, slots };
}

function emptyPass(tokens: number, targets: number): CachedPass {
  const words = (): Uint32Array => new Uint32Array(tokens);
  const index = new Uint32Array(targets);
  return {
    pass: {
      ids: words(),
      positions: words(),
      docBegin: words(),
      docEnd: words(),
      rowOf: words(),
      // The following tokens are unknown, so there are no labels.
      targets: { index, label: new Uint32Array(targets), rowOf: new Uint32Array(targets) },
    },
    slots: words(),
  };
}
