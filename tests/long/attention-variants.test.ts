import { testVariants } from '../support/attention-variants.ts';

// Token counts around the tiles; heads of two times 16 vec4, of one, and of no multiple.
testVariants([
  { tokens: 65, heads: 6, kvHeads: 1, headDim: 128, borders: [3] },
  { tokens: 150, heads: 4, kvHeads: 2, headDim: 64, borders: [70, 131] },
  { tokens: 129, heads: 3, kvHeads: 1, headDim: 84, borders: [] },
]);
