import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ended, FaultScene } from '../support/fault-scene.ts';

let scene: FaultScene;
beforeAll(async () => {
  scene = await FaultScene.open();
});
afterAll(() => scene.close());

describe.each(['merged', 'gguf'] as const)('an export to %s is there whole or not at all', (to) => {
  let undisturbed: Ended;
  let whole: Record<string, unknown>;
  beforeAll(async () => {
    scene.reset();
    undisturbed = await scene.run(scene.export(to));
    expect([undisturbed.code, undisturbed.stderr]).toEqual([0, '']);
    whole = scene.outcome();
  });

  it.each([
    ['short', 'write .*', 'first'],
    ['EIO', 'fsync .*', 'first'],
    ['EIO', 'rename .*partial$', 'last'],
    ['torn', 'write .*', 'last'],
  ] as const)('with %s at %s, the %s', async (fault, operation, which) => {
    const at = scene.place(undisturbed, new RegExp(`^${operation}`), which);
    const { wrong, struck } = await scene.judge(scene.export(to), { at, fault }, whole);
    expect(wrong).toEqual([]);
    expect(struck.code).not.toBe(0);
  });

  it.each(['first', 'last'] as const)(
    'and leaves a disk as it was that is full from the %s write on',
    async (which) => {
      scene.reset();
      const at = scene.place(undisturbed, new RegExp(`^write out/\\.${to}`), which);
      const { code, stderr } = await scene.run(scene.export(to), { at, fault: 'ENOSPC', lasting: true });
      expect(stderr).toMatch(
        /: the disk is full: \d+ KiB were to be written and .* are free; make room there or choose another --output, then start again\.\n$/,
      );
      expect(code).toBe(2);
      expect(scene.outcome()).toEqual({});
    },
  );
});
