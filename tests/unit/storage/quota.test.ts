import { IDBKeyRange } from 'fake-indexeddb';
import type { UseStore } from 'idb-keyval';
import { beforeEach, expect, it, vi } from 'vitest';
import { BrowserRunStore } from '../../../src/storage/browser-run-store.ts';
import { DatabaseError } from '../../../src/storage/database.ts';
import { RunRecords, type StoredRun } from '../../../src/storage/run-records.ts';

beforeEach(() => void vi.stubGlobal('IDBKeyRange', IDBKeyRange));

/** A database that holds nothing and accepts nothing. */
const refusing =
  (full: boolean): UseStore =>
  (mode) =>
    mode === 'readonly'
      ? Promise.resolve([] as never)
      : Promise.reject(
          new DatabaseError('the database failed', 'restart the browser', full ? 'full' : undefined),
        );

it.each([
  [
    true,
    'it takes 1 MB, and the browser has no room for that; delete earlier runs or free some disk space',
    'try again',
  ],
  [false, 'the database failed; restart the browser', ''],
])('what cannot be stored ends with what to do next: full %s', async (full, happened, then) => {
  const store = refusing(full);
  const records = new RunRecords(store);
  const run = new BrowserRunStore(store, 'id', 'Run');
  const ends = (next: string) => `${happened}${next && `, then ${next}`}.`;
  const file = { weights: [new Uint8Array(1e6)] };
  await expect(run.saveCheckpoint(3, file)).rejects.toThrow(
    `checkpoint-3: ${ends('resume from the last checkpoint')}`,
  );
  await expect(run.saveResult(file)).rejects.toThrow(ends('resume from the last checkpoint'));
  await expect(records.describe('id', { note: 'new' })).rejects.toThrow(`The name: ${ends(then)}`);
  const record = { id: 'id', name: 'Imported' } as StoredRun;
  await expect(records.restore(record, [['file', new Blob(['x'.repeat(1e6)])]])).rejects.toThrow(
    `Imported: ${ends(then)}`,
  );
});
