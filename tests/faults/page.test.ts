import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ChosenInputs } from '../../src/engine/protocol/protocol.ts';
import { DEFAULT_DEVICE } from '../support/device-settings.ts';
import {
  BrowserProfile,
  chosenInputs,
  comparableContents,
  judgePage,
  openPage,
} from '../support/fault-page.ts';
import { FaultScene } from '../support/fault-scene.ts';

// Some of the points of a short run in a page at which the browser's database may fail;
// tests/long/page-faults.test.ts has all of them.

let scene: FaultScene;
let inputs: ChosenInputs;
let trace: readonly string[];
let whole: Record<string, unknown>;
beforeAll(async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  scene = await FaultScene.open();
  inputs = chosenInputs((name) => scene.path(name));
  const profile = new BrowserProfile();
  const { runs, idb } = openPage(profile);
  const { status } = await runs.start(inputs, DEFAULT_DEVICE, () => undefined);
  expect(status).toBe('finished');
  trace = idb.trace;
  whole = await comparableContents(await profile.contents());
  expect(await comparableContents(await profile.contents(1))).toEqual(whole);
});
afterAll(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  scene.close();
});

async function judge(pattern: RegExp, fault: string, lasting = false): Promise<string> {
  const at = trace.findIndex((op) => pattern.test(op)) + 1;
  expect(at, `${pattern} in the run`).toBeGreaterThan(0);
  const { wrong, how } = await judgePage(inputs, { at, fault, lasting }, whole);
  expect(wrong).toEqual([]);
  return how;
}

const FAILED = /browser's database (failed \(\w+\)|broke off a transaction); reload the page/;
const FULL = /no room (left )?for (that|what was to be kept); delete earlier runs or free some disk space/;

describe("a run in the page that the browser's database fails ends in a sentence and goes on", () => {
  it.each([
    ['UnknownError', /^open/, FAILED],
    ['AbortError', /^put active/, FAILED],
    ['abort', /^get run\/.*result\/trainer_state/, FAILED],
    ['UnknownError', /^put run\/.*result\/adapter_model/, FAILED],
    ['abort', /^delete run\/.*result/, FAILED],
  ])('%s at %s', async (fault, pattern, sentence) => expect(await judge(pattern, fault)).toMatch(sentence));

  it('a database that stays full', async () =>
    expect(await judge(/^put run\/.*checkpoint\/1/, 'QuotaExceededError', true)).toMatch(FULL));

  it('a database that fails from some moment on', async () =>
    expect(await judge(/^put run\/.*checkpoint\/2/, 'UnknownError', true)).toMatch(FAILED));
});

describe('a run in the page resumes', () => {
  it.each([
    ['closing', /^transaction readwrite/],
    ['abort', /^put inputs/],
    ['QuotaExceededError', /^put record/],
    ['abort', /^put run\/.*checkpoint\/1\/optimizer/],
    ['UnknownError', /^put run\/.*checkpoint\/2\/retune_state/],
    ['QuotaExceededError', /^put run\/.*checkpoint\/3\/adapter_model/],
    ['UnknownError', /^put run\/.*logs/],
  ])('after %s at %s', async (fault, pattern) => expect(await judge(pattern, fault)).toBe('finished'));
});

describe('a page that is killed leaves whole checkpoints, and the next one ends in the same bytes', () => {
  it.each([
    /^put filling/,
    /^put inputs/,
    /^put run\/.*checkpoint\/1\/trainer_state/,
    /^delete run\/.*checkpoint\/1/,
    /^put run\/.*manifest\/4/,
    /^put run\/.*result\/retune_state/,
  ])('at %s', async (pattern) => expect(await judge(pattern, 'die')).toBe('died'));
});
