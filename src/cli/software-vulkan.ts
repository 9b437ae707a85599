import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

const USUAL_PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/usr/lib/chromium/chromium',
  '/opt/google/chrome/chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

/**
 * Chrome or Chromium on this machine: CHROME_PATH, otherwise the first of the usual places with SwiftShader beside
 * it (a file of that name may be a stub that only says how to install one), otherwise the first that exists.
 */
export function findBrowser(env = process.env, places = USUAL_PLACES): string | undefined {
  const found = browsers(env, places);
  return found.find((path) => path === env.CHROME_PATH || swiftShaderOf(path)) ?? found[0];
}

/** The manifest of SwiftShader, the software Vulkan device that comes with Chrome; undefined if there is none. */
export function findSwiftShader(env = process.env, places = USUAL_PLACES): string | undefined {
  return browsers(env, places)
    .map(swiftShaderOf)
    .find((file) => file !== undefined);
}

/** Searched each time: one may have been installed meanwhile. */
function browsers(env: NodeJS.ProcessEnv, places: readonly string[]): string[] {
  return [env.CHROME_PATH, ...places, ...playwrightBrowsers(env)].filter(
    (path): path is string => !!path && existsSync(path),
  );
}

function swiftShaderOf(browser: string): string | undefined {
  const real = realpathSync(browser);
  // A script /usr/bin/NAME starts the program in /usr/lib/NAME.
  const folders = [dirname(real), join(dirname(real), '../lib', basename(real))];
  return folders.map((folder) => join(folder, 'vk_swiftshader_icd.json')).find((file) => existsSync(file));
}

function playwrightBrowsers(env: NodeJS.ProcessEnv): string[] {
  const root = env.PLAYWRIGHT_BROWSERS_PATH ?? join(env.HOME ?? '/root', '.cache/ms-playwright');
  if (!existsSync(root)) {
    return [];
  }
  return readdirSync(root)
    .filter((name) => name.startsWith('chromium-'))
    .flatMap((name) => [join(root, name, 'chrome-linux/chrome'), join(root, name, 'chrome-linux64/chrome')]);
}
