import { afterEach, expect, it, vi } from 'vitest';
import type { Display } from '../../../src/cli/display.ts';
import { forBundled, softwareFallback } from '../../../src/cli/software-device.ts';

const display = { line: () => undefined, close: () => undefined } as unknown as Display;
afterEach(() => vi.unstubAllEnvs());

it('a software device is allowed by the option or the environment only', () => {
  const allowed = (value: string, options = {}) => {
    vi.stubEnv('RETUNE_SOFTWARE_GPU', value);
    return softwareFallback(options, display).allowed;
  };
  expect(['', '0', '1', 'allow'].map((value) => allowed(value))).toEqual([false, false, true, true]);
  expect([allowed('', { software: true }), allowed('', { yes: true })]).toEqual([true, false]);
});

it('the demo and the example may use one, and download it where nobody can be asked', () => {
  const terminal = (isTTY: boolean) => {
    for (const stream of [process.stdin, process.stdout]) {
      Object.defineProperty(stream, 'isTTY', { value: isTTY, configurable: true });
    }
  };
  const before = [process.stdin.isTTY, process.stdout.isTTY];
  terminal(false);
  expect(forBundled()).toEqual(['--software', '--yes']);
  terminal(true);
  expect([forBundled(), forBundled(true)]).toEqual([['--software'], ['--software', '--yes']]);
  Object.defineProperty(process.stdin, 'isTTY', { value: before[0], configurable: true });
  Object.defineProperty(process.stdout, 'isTTY', { value: before[1], configurable: true });
});
