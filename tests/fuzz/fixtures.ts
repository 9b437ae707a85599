import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Files } from './format.ts';

/** Tests run at the root of the project; the worker's bundle is elsewhere. */
const FIXTURES = join(process.cwd(), 'tests/fixtures');

/** The reference cases. */
export const CASES = readdirSync(join(FIXTURES, 'cases')).toSorted();

/** A file under tests/fixtures. */
export const fixture = (path: string): Uint8Array => new Uint8Array(readFileSync(join(FIXTURES, path)));

/** The files of a folder under tests/fixtures, without nested folders. */
export function fixtures(path: string): Files {
  const entries = readdirSync(join(FIXTURES, path), { withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  return Object.fromEntries(names.map((name) => [name, fixture(join(path, name))]));
}
