import { cpSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FaultScene } from '../support/fault-scene.ts';

// Some of the points at which a batch test or a comparison may fail; tests/long/faults.test.ts and fault-kills.test.ts
// have all of them.

let scene: FaultScene;
beforeAll(async () => {
  scene = await FaultScene.open();
  const earlier = await scene.run([...scene.batchTest(), '--repetition-penalty', '1.5']);
  expect([earlier.code, earlier.stderr]).toEqual([0, '']);
  scene.keep('earlier');
});
afterAll(() => scene.close());

/** Answers of an earlier batch test exist. */
async function tested(): Promise<void> {
  scene.reset();
  cpSync(scene.path('earlier'), scene.path('out'), { recursive: true });
}

it.each([
  ['a batch test', () => scene.batchTest(), 'answers.json'],
  ['a comparison', () => scene.compare(), 'answers.csv'],
] as const)('%s leaves its file whole or as it was, whatever fails', async (_, args, file) => {
  await tested();
  const undisturbed = await scene.run(args());
  expect([undisturbed.code, undisturbed.stderr]).toEqual([0, '']);
  const whole = scene.outcome();
  for (const [fault, pattern] of [
    ['short', `^write out/\\.${file}`],
    ['EIO', `^fsync out/\\.${file}`],
    ['EIO', `^rename out/\\.${file}`],
    ['late:EIO', `^rename out/\\.${file}`],
    ['torn', `^write out/\\.${file}`],
    ['SIGKILL', `^rename out/\\.${file}`],
  ] as const) {
    const at = scene.place(undisturbed, new RegExp(pattern));
    const { wrong, struck } = await scene.judge(args(), { at, fault }, whole, tested);
    expect(wrong, `${fault} at ${pattern}`).toEqual([]);
    expect(struck.code).not.toBe(0);
  }
});
