import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { MUTATIONS } from '../mutations.ts';

let copy: string;

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'retune-mutations-'));
  const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { encoding: 'utf8' });
  for (const file of files.trim().split('\n')) {
    cpSync(file, join(copy, file));
  }
  symlinkSync(join(process.cwd(), 'node_modules'), join(copy, 'node_modules'));
});

afterAll(() => rmSync(copy, { recursive: true }));

/** Whether the named test passes in the copy. */
function passes([file, name]: readonly [string, string]): boolean {
  const args = ['node_modules/vitest/vitest.mjs', 'run', file, ...(name ? ['-t', name] : [])];
  const { status, stdout } = spawnSync(process.execPath, args, { cwd: copy, encoding: 'utf8' });
  // A run in which no test ran proves nothing.
  expect(stdout).toMatch(/[1-9]\d* (passed|failed), /);
  return status === 0;
}

it.each(MUTATIONS.map((m) => [m.what, m] as const))('%s', (_, { file, find, replace, test }) => {
  const path = join(copy, file);
  const sound = readFileSync(path, 'utf8');
  expect(sound.split(find)).toHaveLength(2);
  expect(passes(test)).toBe(true);
  writeFileSync(
    path,
    sound.replace(find, () => replace),
  );
  expect(passes(test)).toBe(false);
  writeFileSync(path, sound);
});
