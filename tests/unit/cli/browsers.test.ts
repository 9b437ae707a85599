import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { browserPlaces, foundBrowsers } from '../../../src/cli/browsers.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'retune-browsers-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const script = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
};

it.skipIf(process.platform === 'win32')(
  'browsers tell their versions, each once, and stubs none',
  async () => {
    const chrome = script('chrome', 'echo "Google Chrome 156.0.1.2 for joe"');
    const stub = script('stub', 'echo "please install chromium" >&2; exit 1');
    const places = [
      { name: 'Google Chrome', path: chrome },
      { name: 'Google Chrome', path: chrome },
      { name: 'Chromium', path: stub },
      { name: 'Microsoft Edge', path: join(folder, 'absent') },
    ];
    expect(await foundBrowsers('linux', {}, places)).toEqual(['Google Chrome 156.0.1.2']);
    expect(await foundBrowsers('linux', {}, [{ name: 'CHROME_PATH', path: stub }])).toEqual([
      'the one in CHROME_PATH, which does not tell its version',
    ]);
  },
);

it('on Windows reads the version from the folder beside the program, which it does not start', async () => {
  mkdirSync(join(folder, 'Application/99.0.1.2'), { recursive: true });
  mkdirSync(join(folder, 'Application/156.0.8078.108'));
  const path = join(folder, 'Application/msedge.exe');
  writeFileSync(path, '');
  expect(await foundBrowsers('win32', {}, [{ name: 'Microsoft Edge', path }])).toEqual([
    'Microsoft Edge 156.0.8078.108',
  ]);
});

it('looks at the usual places of each system, and first where CHROME_PATH points', () => {
  const windows = browserPlaces('win32', { ProgramFiles: 'C:\\Program Files', LOCALAPPDATA: 'C:\\local' });
  expect(windows.map(({ path }) => path)).toContain(
    'C:\\Program Files\\Microsoft\\Edge\\Application\\msedge.exe',
  );
  expect(windows.map(({ path }) => path)).toContain('C:\\local\\Google\\Chrome\\Application\\chrome.exe');
  const mac = browserPlaces('darwin', { HOME: '/Users/x', CHROME_PATH: '/opt/mine' });
  expect(mac[0]).toEqual({ name: 'CHROME_PATH', path: '/opt/mine' });
  expect(mac.map(({ path }) => path)).toContain(
    '/Users/x/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  );
});
