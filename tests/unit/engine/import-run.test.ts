import { expect, it } from 'vitest';
import { importRun } from '../../../src/engine/runs/import-run.ts';
import type { ReadArchive } from '../../../src/engine/runs/read-archive.ts';
import { UserError } from '../../../src/formats/user-error.ts';

const file = new File([], 'v2.zip');
const read = { ok: true, value: { file: 'v2.zip' } as ReadArchive } as const;
const kept = { ok: true, value: { id: 'v2', name: 'V2' } } as const;

/** The two workers; `during` is done while the run is being kept. */
function workers(during: () => void = () => undefined) {
  const done: string[] = [];
  const keeper = {
    keepArchive: () => {
      done.push('kept');
      during();
      return Promise.resolve(kept);
    },
    deleteRun: (id: string) => {
      done.push(`deleted ${id}`);
      return Promise.resolve({ ok: true, value: undefined } as const);
    },
  };
  return { done, keeper };
}

it('keeps what was read whole', async () => {
  const { done, keeper } = workers();
  expect(await importRun({ readArchive: async () => read }, keeper, file)).toEqual(kept);
  expect(done).toEqual(['kept']);
});

it('keeps nothing of what was refused', async () => {
  const { done, keeper } = workers();
  const refused = { ok: false, sentence: 'v2.zip: it is cut.' } as const;
  expect(await importRun({ readArchive: async () => refused }, keeper, file)).toEqual(refused);
  expect(done).toEqual([]);
});

it('deletes again what was canceled while it was being kept', async () => {
  const cancel = new AbortController();
  const { done, keeper } = workers(() => cancel.abort(new UserError('v2.zip: canceled.')));
  const answer = await importRun({ readArchive: async () => read }, keeper, file, undefined, cancel.signal);
  expect(answer).toEqual({ ok: false, sentence: 'v2.zip: canceled.' });
  expect(done).toEqual(['kept', 'deleted v2']);
});

it('says so where what was canceled could not be deleted again', async () => {
  const cancel = new AbortController();
  const { keeper } = workers(() => cancel.abort(new UserError('v2.zip: canceled.')));
  const refused = { ok: false, sentence: 'The database failed; reload the page.' } as const;
  const stuck = { ...keeper, deleteRun: async () => refused };
  expect(await importRun({ readArchive: async () => read }, stuck, file, undefined, cancel.signal)).toEqual(
    refused,
  );
});
