import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { HOW, PROMISE, WHAT } from '../../../src/formats/story.ts';

it('README, the page, the package and the app manifest tell one story', () => {
  const readme = readFileSync('README.md', 'utf8');
  const [, first] = readme.split('\n\n');
  // README names the program first.
  expect(first).toContain(WHAT.replace('Continue', 'Retune continues').replace(/\.$/, ''));
  expect(first).toContain(HOW);
  expect(first).toContain(PROMISE);
  for (const file of ['index.html', 'package.json', 'vite.config.ts']) {
    expect(readFileSync(file, 'utf8'), file).toContain(WHAT.replace(/\.$/, ''));
  }
});
