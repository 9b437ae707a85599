import { afterAll, beforeAll, it } from 'vitest';
import { surviveTornLogs } from '../support/torn-logs.ts';
import { WorkerPages } from '../support/worker-page.ts';

let pages: WorkerPages;
beforeAll(async () => void (pages = await WorkerPages.open('dist/torn-logs-test')));
afterAll(() => pages?.close());

it.each([[['first']], [['second']], [['second', 'first']], [['first', 'second', 'first']]] as const)(
  'of two copies loses nothing where killed browsers left records unfinished: %j',
  (torn) => surviveTornLogs(pages, 2, torn),
);
