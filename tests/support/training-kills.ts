import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { openProfile } from './browser-kills.ts';
import type { MemoryFiles } from './memory-folder.ts';
import type { CaseName } from './model-case.ts';
import type { Random } from './random.ts';
import { pickCase, savedFiles, stubPickers } from './real-page.ts';

/** Maximum milliseconds for which a browser lives once its run is in progress. */
const LIFE = 4000;

/**
 * Trains in the page, killing the browser this many times at random moments. Each time the page resumes
 * automatically, or after one click once too many attempts have failed. Returns what the run leaves in the end.
 */
export async function killWhileTraining(
  url: string,
  name: CaseName,
  random: Random,
  kills: number,
): Promise<MemoryFiles> {
  const profile = mkdtempSync(join(tmpdir(), 'retune-training-kills-'));
  try {
    for (let round = 0; ; round++) {
      const browser = await openProfile(profile);
      try {
        await stubPickers(browser.context);
        const page = await browser.context.newPage();
        page.setDefaultTimeout(200_000);
        await page.goto(url);
        if (round === 0) {
          await pickCase(page, name);
          await page.getByRole('button', { name: 'Start training' }).click();
        }
        const resume = page.getByRole('button', { name: 'Continue the run' });
        const begun = page.getByRole('heading', { name: /Getting ready|Training|V2 is ready/ });
        await resume.or(begun).first().waitFor();
        if (round === 0) {
          // Before, the browser holds nothing of the run that could resume.
          await page
            .getByText(/Loading the base|Compiling kernels|Step 1,/)
            .first()
            .waitFor();
        }
        if (await resume.isVisible()) {
          await resume.click();
        }
        if (round < kills) {
          await new Promise((resolve) => setTimeout(resolve, random.integer(0, LIFE)));
        } else {
          await page.getByRole('heading', { name: 'V2 is ready' }).waitFor();
          expect(await page.getByRole('alert').count()).toBe(0);
          return await savedFiles(page);
        }
      } finally {
        await browser.kill();
      }
    }
  } finally {
    rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}
