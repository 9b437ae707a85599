import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { hostedHeaders, StaticHost } from '../support/real-page.ts';
import { OLDER, tryAll } from '../support/try-ways-out.ts';

let built: StaticHost;
beforeAll(async () => {
  built = await StaticHost.open('dist/ways-out-test');
  writeFileSync(join(built.folder, 'empty.html'), '<!doctype html><title>Empty</title><body></body>');
});
afterAll(() => built?.close());

it('all ways but the known ones are shut where Connection-Allowlist is switched off', async () => {
  const args = ['--disable-features=ConnectionAllowlists'];
  const { reached, lookups } = await tryAll(
    built.folder,
    hostedHeaders(built.folder),
    args,
    () => OLDER.reached,
  );
  expect({ reached, lookups }).toEqual(OLDER);
});
