import { mkdirSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { chooseFiles, servePage } from './page-server.ts';

// The README's pictures of the page, over the engine that computes nothing: `npm run screenshots`.
const OUT = 'public/screenshots';
mkdirSync(OUT, { recursive: true });
const server = await servePage('dist/screenshots');

async function picture(
  name: string,
  search: string,
  act: (page: Page) => Promise<unknown>,
  colorScheme: 'light' | 'dark' = 'light',
): Promise<void> {
  const page = await server.open(search, { viewport: { width: 1200, height: 760 }, colorScheme });
  await act(page);
  // Lit and uPlot draw once more after the last change.
  await page.waitForTimeout(200);
  await page.screenshot({ path: `${OUT}/${name}.png` });
  await page.context().close();
}

const chosen = async (page: Page) => {
  await chooseFiles(page);
  await page.getByText('Everything is in order').waitFor();
};
const training = async (page: Page) => {
  await chosen(page);
  await page.getByRole('button', { name: 'Start training' }).click();
};

try {
  await picture('choose', '', chosen);
  await picture('train', 'holdAt=45', async (page) => {
    await training(page);
    await page.getByText('Step 45 of 60').waitFor();
  });
  await picture(
    'train-dark',
    'holdAt=45',
    async (page) => {
      await training(page);
      await page.getByText('Step 45 of 60').waitFor();
    },
    'dark',
  );
  await picture('result', '', async (page) => {
    await training(page);
    await page.getByRole('heading', { name: 'V2 is ready' }).waitFor();
    await page.getByLabel('Question').fill('Where is fuse 45?');
    await page.getByRole('button', { name: 'Ask' }).click();
    await page.getByText('It costs 3.5 €.').waitFor();
  });
} finally {
  await server.close();
}
