import { afterAll, beforeAll, expect, it, vi } from 'vitest';
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

// Every database operation of a short run in a page fails in every way, one at a time.

/** Stride over the operations, for a quick check. */
const STRIDE = Number(process.env.FAULT_STRIDE ?? 1);

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
  await runs.start(inputs, DEFAULT_DEVICE, () => undefined);
  trace = idb.trace;
  whole = await comparableContents(await profile.contents());
});
afterAll(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  scene.close();
});

it.each([
  ['die', false],
  ['abort', false],
  ['UnknownError', false],
  ['UnknownError', true],
  ['QuotaExceededError', false],
  ['QuotaExceededError', true],
  ['closing', false],
])('a run in the page survives %s wherever it strikes (for good: %s)', async (fault, lasting) => {
  const problems: string[] = [];
  let strikes = 0;
  for (let at = 1; at <= trace.length; at += STRIDE, strikes++) {
    const { wrong } = await judgePage(inputs, { at, fault, lasting }, whole);
    for (const what of wrong) {
      problems.push(`${trace[at - 1]} (${at}): ${what}`);
    }
  }
  console.log(`${strikes} strikes, ${problems.length} problems`);
  expect(problems).toEqual([]);
});
