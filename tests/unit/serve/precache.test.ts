import { expect, it } from 'vitest';
import { withHeaders } from '../../../src/serve/precache.ts';

it('makes every file another one where the headers are others', () => {
  const files = [
    { url: 'index.html', revision: 'abc', size: 1 },
    // Built files have their hash in their name and no revision.
    { url: 'assets/host-1234.js', revision: null, size: 2 },
  ];
  const revisions = (headers: Record<string, string>) =>
    withHeaders(headers)(files).manifest.map(({ revision }) => revision);
  const [page, worker] = revisions({ A: '1' });
  expect(page).toMatch(/^abc[0-9a-f]{8}$/);
  expect(worker).toMatch(/^[0-9a-f]{8}$/);
  expect(revisions({ A: '1' })).toEqual([page, worker]);
  expect(revisions({ A: '2' })).not.toContain(page);
  expect(revisions({ A: '2' })).not.toContain(worker);
});
