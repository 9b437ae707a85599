import { describe, expect, it } from 'vitest';
import { measureFree, type Pieces } from '../../../src/gpu/free-memory.ts';

const GIB = 2 ** 30;
const PIECE = 2 ** 28;

/**
 * A GPU that writes its own memory at `rate` bytes per second and, beyond `own` bytes, the host's at `slow`, if it
 * may.
 */
function fake({
  own,
  rate,
  slow,
  late = () => 0,
}: {
  own: number;
  rate: number;
  slow?: number;
  late?: () => number;
}) {
  let held = 0;
  let most = 0;
  const pieces: Pieces = {
    take() {
      const granted = slow !== undefined || held + PIECE <= own;
      if (granted) {
        held += PIECE;
      }
      most = Math.max(most, held);
      return Promise.resolve(granted);
    },
    write(times) {
      const within = Math.min(held, own) / rate;
      const beyond = slow === undefined ? 0 : Math.max(0, held - own) / slow;
      return Promise.resolve(times * (within + beyond) + 0.002 + late());
    },
  };
  return { pieces, most: () => most };
}

const OF_HOST = 3.5 * GIB;
const measure = (pieces: Pieces, most: number) =>
  measureFree(pieces, { most, ofHost: OF_HOST }, () => undefined);

describe('how much memory of a GPU is free', () => {
  it('is nine tenths of what it grants, where it refuses more', async () => {
    for (const gib of [3, 7.3, 11]) {
      const { pieces } = fake({ own: gib * GIB, rate: 250e9 });
      const granted = PIECE * Math.floor((gib * GIB) / PIECE);
      expect(await measure(pieces, 40 * GIB)).toBe(Math.floor(0.9 * granted));
    }
  });

  it('is nine tenths of its own memory, even if it falls back to the host’s', async () => {
    for (const [gib, rate] of [
      [3.4, 190e9],
      [7.3, 256e9],
      [22, 1000e9],
    ] as const) {
      const { pieces, most } = fake({ own: gib * GIB, rate, slow: 14e9 });
      const free = await measure(pieces, 80 * GIB);
      expect(free).toBeLessThanOrEqual(gib * GIB);
      expect(free).toBeGreaterThan(0.9 * (gib * GIB - 2 * PIECE));
      // It takes no more than it needs to notice that.
      expect(most()).toBeLessThanOrEqual(gib * GIB + 2 * PIECE);
    }
  });

  it('is what is wanted where there is more, of which little more is taken', async () => {
    const { pieces, most } = fake({ own: 140 * GIB, rate: 3e12 });
    expect(await measure(pieces, 12.9 * GIB)).toBe(12.9 * GIB);
    expect(most()).toBeLessThanOrEqual((12.9 / 0.9) * GIB + PIECE);
  });

  it('is no more than what a run takes of the host’s memory, where it is as slow', async () => {
    const slow = fake({ own: 30 * GIB, rate: 90e9 });
    expect(await measure(slow.pieces, 13 * GIB)).toBe(OF_HOST);
    expect(slow.most()).toBe(4 * GIB);
    // A small card may be as slow: it pages earlier.
    const card = fake({ own: 2.8 * GIB, rate: 110e9, slow: 11e9 });
    expect(await measure(card.pieces, 13 * GIB)).toBeLessThan(2.8 * GIB);
  });

  it('is what a GPU that has little grants', async () => {
    const granted = 3 * PIECE;
    expect(await measure(fake({ own: 0.9 * GIB, rate: 250e9 }).pieces, 13 * GIB)).toBe(
      Math.floor(0.9 * granted),
    );
    expect(await measure(fake({ own: 0, rate: 250e9 }).pieces, 13 * GIB)).toBe(0);
  });

  it('is all that a small run wants, as fast as it may be', async () => {
    expect(await measure(fake({ own: 8 * GIB, rate: 256e9 }).pieces, 0.4 * GIB)).toBe(0.4 * GIB);
  });

  it('does not take another program’s burst for the end of it', async () => {
    let writes = 0;
    const { pieces } = fake({ own: 8 * GIB, rate: 256e9, late: () => (++writes % 5 === 0 ? 0.4 : 0) });
    expect(await measure(pieces, 6 * GIB)).toBe(6 * GIB);
  });

  it('tells how far it is', async () => {
    const told: number[][] = [];
    await measureFree(
      fake({ own: 8 * GIB, rate: 256e9 }).pieces,
      { most: GIB, ofHost: OF_HOST },
      (held, wanted) => told.push([held, wanted]),
    );
    expect(told).toEqual([0, 1, 2, 3, 4].map((pieces) => [pieces * PIECE, GIB]));
  });
});
