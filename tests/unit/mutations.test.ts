import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { MUTATIONS } from '../mutations.ts';

test.each(MUTATIONS.map((mutation) => [mutation.what, mutation] as const))(
  'what a mutation replaces is there once, and its test too: %s',
  (_, { file, find, test: [path] }) => {
    expect(readFileSync(file, 'utf8').split(find).length - 1).toBe(1);
    expect(existsSync(path)).toBe(true);
  },
);
