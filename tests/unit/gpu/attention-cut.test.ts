import { describe, expect, it } from 'vitest';
import { globals } from 'webgpu';
import { attentionScratch, cutTiles, MAX_WORK } from '../../../src/gpu/kernels/attention/attention.ts';
import {
  ATTENTION_CLASSES,
  type AttentionCalls,
  ATTENTIONS,
} from '../../../src/gpu/kernels/attention/index.ts';
import { view } from '../../../src/gpu/memory.ts';
import { openNullGpu } from '../../../src/gpu/null-device.ts';
import { type Dispatch, Stream } from '../../../src/gpu/stream.ts';

Object.assign(globalThis, globals);

describe('tiles', () => {
  const work = [5, 4, 3, 2, 1];
  const cut = (most: number) =>
    cutTiles(work.length, (tile) => work[tile]!, most).map(({ first, count, work }) => [first, count, work]);

  it('are cut into runs that hold at most so much work', () => {
    expect(cut(15)).toEqual([[0, 5, 15]]);
    expect(cut(14)).toEqual([
      [0, 4, 14],
      [4, 1, 1],
    ]);
    expect(cut(6)).toEqual([
      [0, 1, 5],
      [1, 1, 4],
      [2, 3, 6],
    ]);
  });

  it('are cut into single ones where each is more than that', () => {
    expect(cut(1).map(([first, count]) => [first, count])).toEqual(work.map((_, tile) => [tile, 1]));
  });
});

describe('attention of Qwen2.5-1.5B', () => {
  /** The dispatches of a part of attention at this many tokens, without auxiliary ones. */
  function dispatches(part: keyof AttentionCalls, name: string, tokens: number) {
    const gpu = openNullGpu();
    const shape = { heads: 12, kvHeads: 2, headDim: 128 };
    const some = (values: number) => view(gpu.memory.allocate('', 'working activations', 4 * values));
    const [wide, narrow] = [() => some(tokens * 1536), () => some(tokens * 256)];
    const call = {
      ...{
        q: wide(),
        k: narrow(),
        v: narrow(),
        o: wide(),
        dout: wide(),
        dq: wide(),
        dk: narrow(),
        dv: narrow(),
      },
      ...{
        ranges: some(2 * tokens),
        stats: some(24 * tokens),
        scratch: some(attentionScratch(tokens, shape)),
      },
      ...{ tokens, ...shape, scale: 1 },
    };
    const seen: Dispatch<never>[] = [];
    const stream = new Stream(gpu);
    stream.listener = (_, one) => void (one.work && seen.push(one as Dispatch<never>));
    ATTENTIONS[part].find((one) => one.name === name)!.dispatch(stream, call);
    return seen;
  }

  const products = { attention: 2, 'attention keys': 4, 'attention queries': 3 };
  const cases = ATTENTION_CLASSES.flatMap((part) =>
    ATTENTIONS[part]
      .filter((one) => one.precision === 'f32' && one.fits({ heads: 12, kvHeads: 2, headDim: 128 }))
      .map(({ name }) => [part, name] as const),
  );

  it.each(cases)('%s by %s: one dispatch at 2048 tokens, none of more than 0.15 s at 8192', (part, name) => {
    const work = (tokens: number) => (products[part] * 2 * 12 * 128 * tokens * (tokens + 1)) / 2;
    const short = dispatches(part, name, 2048);
    expect(short.map((one) => one.work)).toEqual([work(2048)]);
    const long = dispatches(part, name, 8192);
    expect(long.length).toBeGreaterThanOrEqual(Math.ceil(work(8192) / MAX_WORK));
    expect(Math.max(...long.map((one) => one.work!))).toBeLessThanOrEqual(MAX_WORK);
    expect(long.reduce((sum, one) => sum + one.work!, 0)).toBe(work(8192));
    const rows = Number(/(\d+)x/.exec(name)![1]);
    expect(long.reduce((sum, { groups }) => sum + groups[0], 0)).toBe(8192 / rows);
  });
});
