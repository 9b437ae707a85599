import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { buildFolder } from '../../../src/serve/build-folder.ts';

it('is each start’s own, and what starts that are gone have left goes', () => {
  const place = mkdtempSync(join(tmpdir(), 'retune-page-'));
  for (const name of ['page-999999999', `page-${process.ppid}`, 'other']) {
    mkdirSync(join(place, name));
    writeFileSync(join(place, name, 'index.html'), '');
  }
  expect(buildFolder(place)).toBe(join(place, `page-${process.pid}`));
  expect(readdirSync(place).toSorted()).toEqual(['other', `page-${process.ppid}`].toSorted());
  rmSync(place, { recursive: true });
  expect(buildFolder(place)).toBe(join(place, `page-${process.pid}`));
  expect(existsSync(place)).toBe(false);
});
