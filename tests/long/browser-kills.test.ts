import { afterAll, beforeAll, it } from 'vitest';
import { killWhileSaving } from '../support/browser-kills.ts';
import { Random } from '../support/random.ts';
import { WorkerPages } from '../support/worker-page.ts';

let pages: WorkerPages;

beforeAll(async () => {
  pages = await WorkerPages.open('dist/kills-test');
});

afterAll(() => pages.close());

it('neither tears nor loses a checkpoint when the browser is killed fifty times while writing', async () => {
  await killWhileSaving(pages, new Random(Date.now()), 50);
});
