import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ended, FaultScene } from '../support/fault-scene.ts';

// Some of the points at which a short run may fail; tests/long/faults.test.ts and fault-kills.test.ts have all of
// them.

let scene: FaultScene;
let undisturbed: Ended;
let whole: Record<string, unknown>;
beforeAll(async () => {
  scene = await FaultScene.open();
  undisturbed = await scene.run(scene.finetune());
  expect([undisturbed.code, undisturbed.stderr]).toEqual([0, '']);
  scene.checkWhole();
  whole = scene.outcome();
});
afterAll(() => scene.close());

async function judge(
  pattern: RegExp,
  fault: string,
  { lasting = false, which = 'first' }: { lasting?: boolean; which?: 'first' | 'last' } = {},
): Promise<Ended> {
  const at = scene.place(undisturbed, pattern, which);
  const { wrong, struck } = await scene.judge(scene.finetune(), { at, fault, lasting }, whole);
  expect(wrong).toEqual([]);
  return struck;
}

describe('a run whose files cannot be written ends in one sentence and resumes as if nothing had happened', () => {
  it.each([
    ['EIO', /^rm out\/v2\/.*retune\.lock.*partial/],
    ['ENOSPC', /^mkdir .*checkpoint-1/],
    ['EIO', /^open .*checkpoint-1.*adapter_config/],
    ['short', /^write .*checkpoint-1.*adapter_model/],
    ['short', /^write .*checkpoint-2.*optimizer/],
    ['EIO', /^write .*checkpoint-2.*retune_state/],
    ['EIO', /^fsync .*checkpoint-2.*trainer_state/],
    ['EIO', /^fsync .*checkpoint-2\.\d+\.partial$/],
    ['EIO', /^rename .*checkpoint-3\.\d+\.partial$/],
    ['late:EIO', /^rename .*checkpoint-3\.\d+\.partial$/],
    ['EIO', /^unlink out\/v2\/retune_state/],
    ['short', /^write out\/v2\/\.adapter_model/],
    ['EIO', /^rename out\/v2\/\.adapter_config/],
    ['late:EIO', /^rename out\/v2\/\.trainer_state/],
    ['EIO', /^rename out\/v2\/\.retune_state/],
  ])('%s at %s', async (fault, pattern) => expect((await judge(pattern, fault)).code).toBe(2));

  it.each([/^write .*checkpoint-1.*adapter_model/, /^write .*checkpoint-4.*optimizer/])(
    'a disk that stays full from %s on',
    async (pattern) => expect((await judge(pattern, 'ENOSPC', { lasting: true })).code).toBe(2),
  );
});

const LOG =
  /Note: .*tfevents\S*: (cannot be written \(EIO\)|the disk is full: .*); the run continues, and writes the whole log/;
const CACHE = /Note: The quantized base could not be cached for the next start: /;
const OLD = /Note: .*checkpoint-1: cannot be written \(\w+\); the run continues\./;

describe('a run does without what is only convenient', () => {
  it.each([
    ['ENOSPC', /^mkdir .*logs$/, 'first', LOG],
    ['EIO', /^write .*tfevents/, 'first', LOG],
    ['EIO', /^rename .*tfevents/, 'first', LOG],
    ['EACCES', /^mkdir cache/, 'first', CACHE],
    ['short', /^write cache.*base\.safetensors/, 'first', CACHE],
    ['EIO', /^fsync cache.*manifest/, 'first', CACHE],
    ['EIO', /^rename cache/, 'last', CACHE],
    ['EBUSY', /^rename out\/v2\/checkpoint-1$/, 'last', OLD],
    ['EIO', /^rm .*checkpoint-1-removed/, 'last', OLD],
    ['EIO', /^unlink out\/v2\/\.retune\.lock$/, 'last', /^Finished/m],
  ] as const)('%s at %s', async (fault, pattern, which, note) => {
    const { code, stdout } = await judge(pattern, fault, { which });
    expect(code).toBe(0);
    expect(stdout).toMatch(note);
  });
});

describe('a killed run leaves complete files, and resumes to the same end', () => {
  it.each([
    ['torn', /^write cache.*base\.safetensors/],
    ['SIGKILL', /^rename .*tfevents/],
    ['torn', /^write .*checkpoint-2.*optimizer/],
    ['SIGKILL', /^rename .*checkpoint-2\.\d+\.partial$/],
    ['torn', /^rm .*checkpoint-1-removed/],
    ['SIGKILL', /^rename out\/v2\/\.README/],
  ])('%s at %s', async (fault, pattern) => expect((await judge(pattern, fault)).code).toBeUndefined());
});
