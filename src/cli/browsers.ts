import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path/posix';
import { join as joinWindows } from 'node:path/win32';
import { promisify } from 'node:util';

const VERSION_MS = 5000;
/** Characters of what a browser says of its version that are looked at. */
const MAX_VERSION = 200;

/** A browser that can show the page, at one of the usual places. */
interface Place {
  readonly name: string;
  readonly path: string;
}

/** The usual places of browsers that can show the page, the same browser's one after the other. */
export function browserPlaces(platform: NodeJS.Platform, env: NodeJS.ProcessEnv): Place[] {
  const named = env.CHROME_PATH ? [{ name: 'CHROME_PATH', path: env.CHROME_PATH }] : [];
  return [...named, ...placesOf(platform, env)];
}

function placesOf(platform: NodeJS.Platform, env: NodeJS.ProcessEnv): Place[] {
  if (platform === 'win32') {
    const roots = [env.ProgramFiles, env['ProgramFiles(x86)'], env.LOCALAPPDATA].filter((root) => !!root);
    const programs: [string, string][] = [
      ['Google Chrome', 'Google/Chrome/Application/chrome.exe'],
      ['Microsoft Edge', 'Microsoft/Edge/Application/msedge.exe'],
      ['Chromium', 'Chromium/Application/chrome.exe'],
    ];
    return programs.flatMap(([name, file]) =>
      roots.map((root) => ({ name, path: joinWindows(root!, file) })),
    );
  }
  if (platform === 'darwin') {
    const roots = ['/Applications', join(env.HOME ?? '/', 'Applications')];
    return ['Google Chrome', 'Microsoft Edge', 'Chromium'].flatMap((name) =>
      roots.map((root) => ({ name, path: join(root, `${name}.app/Contents/MacOS/${name}`) })),
    );
  }
  const programs = {
    'Google Chrome': ['/usr/bin/google-chrome', '/usr/bin/google-chrome-stable', '/opt/google/chrome/chrome'],
    'Microsoft Edge': ['/usr/bin/microsoft-edge', '/usr/bin/microsoft-edge-stable'],
    Chromium: ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/snap/bin/chromium'],
  };
  return Object.entries(programs).flatMap(([name, paths]) => paths.map((path) => ({ name, path })));
}

/** The browsers of this machine in words, such as "Chromium 156.0.8078.108", each once; no path. */
export async function foundBrowsers(
  platform = process.platform,
  env = process.env,
  places = browserPlaces(platform, env),
): Promise<string[]> {
  const there = places.filter(({ path }) => existsSync(path));
  const versions = await Promise.all(
    there.map(({ name, path }) =>
      platform === 'win32' ? windowsVersion(name, path) : toldVersion(name, path),
    ),
  );
  return [...new Set(versions.filter((version) => version !== undefined))];
}

/** Its own words; undefined for a stub that only says how to install one. */
async function toldVersion(name: string, path: string): Promise<string | undefined> {
  const run = promisify(execFile)(path, ['--version'], { timeout: VERSION_MS });
  const { stdout } = await run.catch(() => ({ stdout: '' }));
  const told = /^[\w ]*\d+(\.\d+)+/.exec(stdout.slice(0, MAX_VERSION))?.[0];
  return (
    told ?? (name === 'CHROME_PATH' ? 'the one in CHROME_PATH, which does not tell its version' : undefined)
  );
}

/** Started with --version, a browser on Windows would open a window; but its folder holds one of that name. */
async function windowsVersion(name: string, path: string): Promise<string> {
  const beside = await readdir(dirname(path.replaceAll('\\', '/'))).catch(() => []);
  const version = beside.filter((entry) => /^\d+(\.\d+){3}$/.test(entry)).toSorted(newer)[0];
  return [name === 'CHROME_PATH' ? 'the one in CHROME_PATH' : name, version].filter(Boolean).join(' ');
}

const newer = (a: string, b: string): number => b.localeCompare(a, 'en', { numeric: true });
