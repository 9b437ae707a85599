import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';

/** Fails where axe finds something serious or critical. */
export async function accessible(page: Page, stage: string): Promise<void> {
  await noneSerious(page, stage);
}

/** In the light, and in the dark, where only colors are another matter. */
export async function accessibleInBothSchemes(page: Page, stage: string): Promise<void> {
  await accessible(page, stage);
  await page.emulateMedia({ colorScheme: 'dark' });
  await noneSerious(page, `${stage}, in the dark`, { runOnly: ['color-contrast'] });
  await page.emulateMedia({ colorScheme: 'light' });
}

async function noneSerious(page: Page, stage: string, only?: { runOnly: string[] }): Promise<void> {
  const axe = new AxeBuilder({ page }).options({ ...only, resultTypes: ['violations'] });
  // The page has no frames, so axe needs no second page to gather their results in.
  const { violations } = await axe.setLegacyMode().analyze();
  const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  const found = serious.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.html.slice(0, 120)} ${node.failureSummary ?? ''}`),
  );
  expect(found, stage).toEqual([]);
}

/**
 * Fails where the page scrolls sideways, or something lies outside the window or its own box. A plot takes its new
 * width a moment after the window's.
 */
export async function fits(page: Page, stage: string): Promise<void> {
  let outside = await outsideOf(page);
  for (let tries = 0; tries < 50 && outside.length > 0; tries++) {
    await page.waitForTimeout(100);
    outside = await outsideOf(page);
  }
  expect(outside, stage).toEqual([]);
}

function outsideOf(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const found: string[] = [];
    const all = (root: ParentNode): Element[] =>
      [...root.querySelectorAll('*')].flatMap((element) => [
        element,
        ...(element.shadowRoot ? all(element.shadowRoot) : []),
      ]);
    const scrolls = (element: Element): boolean => {
      for (
        let at: Element | null = element;
        at;
        at = at.parentElement ?? (at.getRootNode() as ShadowRoot).host
      ) {
        if (['auto', 'scroll'].includes(getComputedStyle(at).overflowX)) {
          return true;
        }
      }
      return false;
    };
    const root = document.documentElement;
    if (root.scrollWidth > root.clientWidth) {
      found.push(`the page is ${root.scrollWidth} wide`);
    }
    for (const element of all(document)) {
      const { width, left, right } = element.getBoundingClientRect();
      const heard = getComputedStyle(element).clipPath !== 'none';
      if (width <= 1 || heard || scrolls(element)) {
        continue;
      }
      if (left < -1 || right > root.clientWidth + 1) {
        found.push(`${element.localName}.${element.className}: ${left} to ${right}`);
      }
      const cut =
        getComputedStyle(element).overflowX !== 'visible' && element.scrollWidth > element.clientWidth + 1;
      if (cut && element.clientWidth > 0 && element.localName !== 'input') {
        found.push(
          `${element.localName}.${element.className}: ${element.scrollWidth} in ${element.clientWidth}`,
        );
      }
    }
    return found;
  });
}
