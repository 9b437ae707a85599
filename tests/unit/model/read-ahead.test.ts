import { expect, it } from 'vitest';
import type { ByteSource } from '../../../src/formats/byte-source.ts';
import { readAhead } from '../../../src/model/base/read/read-ahead.ts';
import { type Chunk, readPlan } from '../../../src/model/base/read/read-plan.ts';
import { Random } from '../../support/random.ts';

/** A source whose reads wait until the test releases them, one by one in any order. */
function gated(bytes: Uint8Array) {
  const open: { begin: number; go: () => void; fail: (error: Error) => void }[] = [];
  const source: ByteSource = {
    name: 'file',
    size: bytes.length,
    read: (begin, into) =>
      new Promise((resolve, reject) =>
        open.push({
          begin,
          go: () => {
            into.set(bytes.subarray(begin, begin + into.length));
            resolve();
          },
          fail: reject,
        }),
      ),
  };
  return { source, open };
}

const turns = async () => {
  for (let i = 0; i < 20; i++) {
    await Promise.resolve();
  }
};

/** The source from end to end, in chunks of this many bytes. */
const chunksOf = (source: ByteSource, bytes: number): Chunk[] =>
  readPlan([{ source, begin: 0, end: source.size, unit: 1, take: () => undefined }], bytes);

it('reads on while a chunk is being worked on, hands over in order and never more than is there', async () => {
  const bytes = new Random(1).bytes(640);
  const { source, open } = gated(bytes);
  const got = new Uint8Array(640);
  let room: () => void = () => undefined;
  let taken = 0;
  const all = readAhead(chunksOf(source, 128), {
    take: async ({ begin }, chunk) => {
      await new Promise<void>((resolve) => (room = resolve));
      got.set(chunk, begin);
      taken += chunk.length;
    },
  });
  await turns();
  expect(open.map(({ begin }) => begin)).toEqual([0, 128]);
  open[1]!.go();
  open[0]!.go();
  await turns();
  // The first chunk waits for room; nothing more is read.
  expect([taken, open.length]).toEqual([0, 2]);
  room();
  await turns();
  expect([taken, open.length]).toEqual([128, 3]);
  for (let n = 2; n < 5; n++) {
    room();
    await turns();
    open[n]!.go();
    await turns();
  }
  room();
  await turns();
  room();
  await all;
  expect(taken).toBe(640);
  expect(got).toEqual(bytes);
});

it('a read that fails ends it, once the reads under way have ended', async () => {
  const { source, open } = gated(new Random(2).bytes(300));
  let ended = false;
  const all = readAhead(chunksOf(source, 100), { take: () => Promise.resolve() });
  all.catch(() => undefined).finally(() => (ended = true));
  await turns();
  open[0]!.fail(new Error('gone'));
  await turns();
  expect(ended).toBe(false);
  open[1]!.go();
  await expect(all).rejects.toThrow('gone');
});

it('an observer sees chunks in order, before they are taken; memory is kept until it has done with it', async () => {
  const bytes = new Random(3).bytes(640);
  const { source, open } = gated(bytes);
  const heard: string[] = [];
  const seen = new Uint8Array(640);
  const done: (() => void)[] = [];
  const all = readAhead(chunksOf(source, 128), {
    see: async ({ begin }, chunk) => {
      heard.push(`saw ${begin}`);
      await new Promise<void>((resolve) => done.push(resolve));
      seen.set(chunk, begin);
    },
    take: async ({ begin }) => void heard.push(`took ${begin}`),
  });
  await turns();
  for (const n of [0, 1, 2, 3]) {
    open[n]!.go();
    await turns();
  }
  // The fifth chunk would be read into the memory of the first.
  expect(heard).toEqual([0, 128, 256, 384].flatMap((at) => [`saw ${at}`, `took ${at}`]));
  expect(open).toHaveLength(4);
  done[0]!();
  await turns();
  open[4]!.go();
  await turns();
  done.slice(1).forEach((resolve) => resolve());
  await all;
  expect(heard.slice(8)).toEqual(['saw 512', 'took 512']);
  expect(seen).toEqual(bytes);
});

it('an observer that fails ends it', async () => {
  const { source, open } = gated(new Random(4).bytes(300));
  const all = readAhead(chunksOf(source, 100), {
    see: () => Promise.reject(new Error('not hashed')),
    take: () => Promise.resolve(),
  });
  all.catch(() => undefined);
  await turns();
  for (const n of [0, 1, 2]) {
    open[n]!.go();
    await turns();
  }
  await expect(all).rejects.toThrow('not hashed');
});
