import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium } from 'playwright-core';
import { expect } from 'vitest';
import { findBrowser } from '../../src/cli/software-vulkan.ts';
import { BROWSER_ARGS } from './browser-args.ts';
import type { Random } from './random.ts';
import type { WorkerPages } from './worker-page.ts';

const RUN = 'kills';
/** Bytes of a checkpoint's large file. */
const BYTES = 3_000_000;

/**
 * Kills a browser with SIGKILL while it writes one checkpoint after another, keeping the latest two, and examines
 * what is left: every checkpoint is complete, and the last acknowledged one, or a later one, is there.
 */
export async function killWhileSaving(pages: WorkerPages, random: Random, rounds: number): Promise<void> {
  const profile = mkdtempSync(join(tmpdir(), 'retune-kills-'));
  let acknowledged = 0;
  const look = async (context: BrowserContext) => {
    const page = await pages.emptyPage(context);
    const left = await page.evaluate((run) => window.bench.checkpointsLeft(run), RUN);
    const at = `acknowledged ${acknowledged}, left ${JSON.stringify(left)}`;
    expect(left.at(-1)?.step ?? 0, at).toBeGreaterThanOrEqual(acknowledged);
    expect(
      left.every(({ sound }) => sound),
      at,
    ).toBe(true);
    return { page, next: (left.at(-1)?.step ?? 0) + 1 };
  };
  try {
    for (let round = 0; round < rounds; round++) {
      const browser = await openProfile(profile);
      try {
        const { page, next } = await look(browser.context);
        await page.exposeFunction('acknowledge', (step: number) => void (acknowledged = step));
        const writing = page
          .evaluate(
            ([run, step, bytes]) => {
              const { acknowledge } = window as unknown as { acknowledge: (step: number) => void };
              return window.bench.saveOnAndOn(run, step, bytes, acknowledge);
            },
            [RUN, next, BYTES] as const,
          )
          .catch(String);
        await expect.poll(() => acknowledged, { timeout: 30_000, interval: 5 }).toBeGreaterThanOrEqual(next);
        await new Promise((resolve) => setTimeout(resolve, random.integer(0, 300)));
        await browser.kill();
        expect(await writing).toMatch(/closed/);
      } finally {
        await browser.kill();
      }
    }
    const last = await openProfile(profile);
    await look(last.context).finally(() => last.kill());
  } finally {
    rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

/** Attempts to start a browser before giving up. */
const STARTS = 3;

/** A browser with a profile on disk, in its own process group so that it can be killed at once. */
export async function openProfile(
  profile: string,
): Promise<{ context: BrowserContext; kill: () => Promise<void> }> {
  // A browser started on a killed one's profile sometimes never answers, especially on a busy machine.
  for (let start = 1; ; start++) {
    const { address, kill } = await startBrowser(profile);
    try {
      const connected = await chromium.connectOverCDP(await address, { timeout: 60_000 });
      return { context: connected.contexts()[0]!, kill };
    } catch (error) {
      await kill();
      if (start === STARTS) {
        throw error;
      }
    }
  }
}

async function startBrowser(
  profile: string,
): Promise<{ address: Promise<string>; kill: () => Promise<void> }> {
  const portFile = join(profile, 'DevToolsActivePort');
  rmSync(portFile, { force: true });
  const args = [...BROWSER_ARGS, '--headless=new', '--no-first-run', '--remote-debugging-port=0'];
  const browser = spawn(findBrowser()!, [...args, `--user-data-dir=${profile}`, 'about:blank'], {
    detached: true,
    // Nobody reads a pipe here, and a full one would block the browser.
    stdio: 'ignore',
  });
  await once(browser, 'spawn');
  // Waits for its processes to be gone: one that is still ending locks the profile.
  const kill = async (): Promise<void> => {
    for (let waited = 0; waited < 5_000; waited += 10) {
      try {
        process.kill(-browser.pid!, 'SIGKILL');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ESRCH') {
          return;
        }
        throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  const address = async (): Promise<string> => {
    for (let waited = 0; waited < 60_000; waited += 50) {
      if (existsSync(portFile)) {
        const [port, path] = readFileSync(portFile, 'utf8').split('\n');
        if (path) {
          return `ws://127.0.0.1:${port}${path}`;
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error('the browser opened no port in a minute');
  };
  return { address: address(), kill };
}
