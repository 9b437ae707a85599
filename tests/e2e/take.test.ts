import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { takenFiles } from '../../src/engine/runs/export.ts';
import { readAll } from '../../src/formats/byte-source.ts';
import { BrowserRunStore } from '../../src/storage/browser-run-store.ts';
import { openDatabase } from '../../src/storage/database.ts';
import { retune } from '../support/cli.ts';
import { BrowserProfile } from '../support/fault-page.ts';
import { fixtureFiles } from '../support/memory-folder.ts';

const RUN = 'tests/fixtures/run';

it('the command line takes a step as V2 in the same bytes as the page, and leaves the run as it is', async () => {
  const profile = new BrowserProfile();
  await profile.contents();
  const database = openDatabase('retune', { factory: profile.databases[0] });
  const store = new BrowserRunStore(database, 'a-run', 'a run');
  const files = Object.entries(fixtureFiles('run/checkpoint-2'));
  await store.saveCheckpoint(
    2,
    Object.fromEntries(files.map(([name, bytes]) => [name, [bytes as Uint8Array]])),
  );
  const page = await takenFiles(store, 'best');

  const before = readdirSync(RUN, { recursive: true });
  const output = join(mkdtempSync(join(tmpdir(), 'retune-take-')), 'v2-step-2');
  const { code, stdout } = await retune([
    'export',
    '--model',
    RUN,
    '--take',
    '2',
    '--to',
    'adapter',
    '--output',
    output,
  ]);
  expect([code, stdout]).toEqual([0, expect.stringContaining('taken from step 2')]);
  expect(readdirSync(output).toSorted()).toEqual(page.map(({ path }) => path).toSorted());
  for (const { path, source } of page) {
    expect(readFileSync(join(output, path)).equals(await readAll(source)), path).toBe(true);
  }
  expect(readdirSync(RUN, { recursive: true })).toEqual(before);
});
