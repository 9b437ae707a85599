import { afterAll, beforeAll, it } from 'vitest';
import { surviveTornLogs } from '../support/torn-logs.ts';
import { WorkerPages } from '../support/worker-page.ts';

let pages: WorkerPages;
beforeAll(async () => void (pages = await WorkerPages.open('dist/torn-logs-test')));
afterAll(() => pages?.close());

it.each([
  [2, ['first']],
  [2, ['second']],
  [2, ['second', 'first']],
  [2, ['first', 'second', 'first']],
  [1, ['first', 'first']],
] as const)('of %i copies loses nothing where killed browsers left records unfinished: %j', (copies, torn) =>
  surviveTornLogs(pages, copies, torn),
);
