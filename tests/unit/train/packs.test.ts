import { describe, expect, it } from 'vitest';
import { packRows, rowWindows } from '../../../src/train/packs.ts';
import { stepWindows } from '../../../src/train/window.ts';
import golden from '../../fixtures/train/packs.json' with { type: 'json' };

describe('rows are packed', () => {
  it.each(golden.map((one) => [`${one.lengths.length} rows into ${one.capacity}`, one] as const))(
    '%s as TRL packs them',
    (_, { lengths, capacity, packs }) => {
      expect(packRows(lengths, capacity)).toEqual(packs);
    },
  );

  it('each once, and no sequence is too long', () => {
    const { lengths, capacity } = golden.at(-1)!;
    const packs = packRows(lengths, capacity);
    expect(packs.flat().toSorted((a, b) => a - b)).toEqual(lengths.map((_, i) => i));
    for (const pack of packs) {
      expect(pack.reduce((sum, row) => sum + lengths[row]!, 0)).toBeLessThanOrEqual(capacity);
    }
  });
});

it('a step takes the rows of its packs, and batches count packs', () => {
  const packs = [[3], [0, 2], [1, 4, 5]];
  const grouping = { rows: 3, batch: 2, accumulation: 1 };
  const plain = stepWindows(grouping, 7);
  const packed = rowWindows({ grouping, packs }, 7);
  for (const step of [1, 2, 3, 4]) {
    expect(packed(step)).toEqual({
      epoch: plain(step).epoch,
      rows: plain(step).rows.map((batch) => batch.flatMap((pack) => packs[pack]!)),
    });
  }
  expect(rowWindows({ grouping }, 7)(1)).toEqual(plain(1));
});
