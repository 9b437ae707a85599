import type { Pass } from '../text/packing.ts';

/** A sequence that is being generated. */
export interface Sequence {
  readonly prompt: readonly number[];
  /** What was generated so far. */
  readonly ids: readonly number[];
  /** First of its slots in the cache. */
  readonly firstSlot: number;
}

/** A pass and the cache slot of each of its tokens. `targets.index` are the tokens that a next one is wanted for. */
export interface CachedPass {
  pass: Pass;
  slots: Uint32Array;
}

/** All prompts laid end to end; each attends to itself within the pass. */
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

/** The newest token of each sequence; docBegin and docEnd are the slots of the cache that it attends to. */
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
      // Nothing is known of what follows: there are no labels.
      targets: { index, label: new Uint32Array(targets), rowOf: new Uint32Array(targets) },
    },
    slots: words(),
  };
}
