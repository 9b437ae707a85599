import { AxeBuilder } from '@axe-core/playwright';
import type { ElementHandle, Locator, Page } from 'playwright-core';
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

/** The label of what has the focus, through all shadow roots; "nothing" where it has fallen to the body. */
export const focused = (page: Page): Promise<string> =>
  page.evaluate(() => {
    let at = document.activeElement;
    while (at?.shadowRoot?.activeElement) {
      at = at.shadowRoot.activeElement;
    }
    const name = at === document.body ? 'nothing' : (at?.getAttribute('aria-label') ?? at?.textContent ?? '');
    return name.replace(/\s+/g, ' ').trim();
  });

/** Waits until what is so labeled has the focus. */
export async function focusOn(page: Page, label: string): Promise<void> {
  for (let tries = 0; tries < 50 && (await focused(page)) !== label; tries++) {
    await page.waitForTimeout(50);
  }
  expect(await focused(page)).toBe(label);
}

/** A change to an element in the page. */
type Change = (element: HTMLElement) => void;

/**
 * Fails where, in forced colors, something looks the same without what it shows: `hide` takes that away. The page is of
 * no use afterwards.
 */
export async function shownInForcedColors(
  page: Page,
  parts: readonly (readonly [what: string, part: Locator, hide: Change])[],
): Promise<void> {
  await page.emulateMedia({ forcedColors: 'active' });
  // Charts hear of it with the next frame, and draw on canvases of their own.
  await page.evaluate(
    () => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))),
  );
  const hidden: string[] = [];
  for (const [what, part, hide] of parts) {
    // What is taken away may be what it was found by.
    const element = (await part.elementHandle())! as ElementHandle<HTMLElement>;
    const before = await element.screenshot();
    await element.evaluate(hide);
    if (before.equals(await element.screenshot())) {
      hidden.push(what);
    }
  }
  expect(hidden).toEqual([]);
}

/** Whether a control lies in the window, whole and under nothing. */
export const inView = (control: Locator): Promise<boolean> =>
  control.evaluate((element) => {
    const { left, right, top, bottom } = element.getBoundingClientRect();
    let at = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
    while (at?.shadowRoot) {
      const inside = at.shadowRoot.elementFromPoint((left + right) / 2, (top + bottom) / 2);
      if (!inside || inside === at) {
        break;
      }
      at = inside;
    }
    return top >= 0 && left >= 0 && right <= innerWidth && bottom <= innerHeight && element.contains(at);
  });

/** The settings that stand alone in a row of the recipe's form, or do not fill it. */
export const orphans = (page: Page): Promise<string[]> =>
  page.locator('recipe-view').evaluate((view) =>
    [...view.shadowRoot!.querySelectorAll('.fields')].flatMap((fields) => {
      const all = [...fields.querySelectorAll('recipe-input')];
      const rows = Map.groupBy(all, (field) => Math.round(field.getBoundingClientRect().top));
      const width = fields.clientWidth;
      return [...rows.values()]
        .filter((row) => {
          const end = row.at(-1)!.getBoundingClientRect().right - fields.getBoundingClientRect().left;
          return (row.length === 1 && all.length > 1) || Math.abs(end - width) > 2;
        })
        .map((row) => row.map((field) => field.shadowRoot!.querySelector('label')!.textContent).join());
    }),
  );
