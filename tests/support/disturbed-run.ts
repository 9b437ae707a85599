import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { expect } from 'vitest';
import { findBrowser } from '../../src/cli/software-vulkan.ts';
import { BROWSER_ARGS } from './browser-args.ts';
import type { MemoryFiles } from './memory-folder.ts';
import { MemoryStore } from './memory-store.ts';
import type { CaseName } from './model-case.ts';
import { StaticHost, stubPickers } from './real-page.ts';
import { caseInputs, run } from './run-case.ts';
import { fingerprint, inside } from './worker-page.ts';

/** The built page, and what an undisturbed run of a case leaves: the same as in the browser (page-engine.test.ts). */
export class DisturbedRun {
  readonly host: StaticHost;
  readonly browser: Browser;
  readonly #whole: MemoryStore;

  private constructor(host: StaticHost, browser: Browser, whole: MemoryStore) {
    this.host = host;
    this.browser = browser;
    this.#whole = whole;
  }

  static async open(name: CaseName, folder: string, options?: { device: 'null' }): Promise<DisturbedRun> {
    const host = await StaticHost.open(folder, options);
    const browser = await chromium.launch({ executablePath: findBrowser()!, args: BROWSER_ARGS });
    const whole = new MemoryStore();
    await run({ inputs: await caseInputs(name), store: whole });
    return new DisturbedRun(host, browser, whole);
  }

  /** The page in a fresh profile; `handles`: its pickers give handles, as the browser's do. */
  async page({ handles }: { handles: boolean }): Promise<{ context: BrowserContext; page: Page }> {
    const context = await this.browser.newContext();
    if (handles) {
      await stubPickers(context);
    }
    const page = await context.newPage();
    page.setDefaultTimeout(200_000);
    page.on('dialog', (dialog) => void dialog.accept());
    return { context, page };
  }

  /** Expects the result and the last two checkpoints of the undisturbed run. */
  expectWhole(files: MemoryFiles): void {
    expect(fingerprint(files)).toEqual(fingerprint(this.#whole.result));
    for (const step of [6, 7]) {
      expect(fingerprint(inside(files, `checkpoint-${step}`))).toEqual(
        fingerprint(this.#whole.saved.get(step)!),
      );
    }
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.host.close();
  }
}

export const button = (page: Page, name: string) => page.getByRole('button', { name });
export const finished = (page: Page) => page.getByRole('heading', { name: 'V2 is ready' }).waitFor();

/** That step, or a later one: a page that draws less often than the run steps may never show some. */
export const stepDone = (page: Page, step: number, of: number) =>
  page.getByText(new RegExp(`Step [${step}-${of}] of ${of}`)).waitFor();

/** The worker that trains; files are read in another. */
export const engineOf = (page: Page) => page.workers().find((worker) => worker.url().includes('/host-'))!;

/**
 * Each readback of the page's device takes a while, so that there is time to disturb the run between two steps. Ended
 * by `stop()` for the workers that begin after it.
 */
export function slowDevice(page: Page): { stop: () => void } {
  let slow = true;
  page.on('worker', (worker) => {
    if (!slow) {
      return;
    }
    const slowing = worker.evaluate(() => {
      const { mapAsync } = GPUBuffer.prototype;
      GPUBuffer.prototype.mapAsync = async function (this: GPUBuffer, ...call) {
        await new Promise((resolve) => setTimeout(resolve, 600));
        return mapAsync.apply(this, call);
      };
    });
    // A worker that a reload ends first needs none.
    slowing.catch(() => undefined);
  });
  return { stop: () => void (slow = false) };
}
