import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { securityHeaders } from '../../../src/platform/security-headers.ts';

it('static hosts send the headers that the page’s own servers send', () => {
  const lines = Object.entries(securityHeaders).map(([name, value]) => `  ${name}: ${value}`);
  expect(readFileSync('public/_headers', 'utf8')).toBe(['/*', ...lines, ''].join('\n'));
});
