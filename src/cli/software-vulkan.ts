import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { defaultCacheFolder } from './cache-folder.ts';

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

const MANIFEST = 'vk_swiftshader_icd.json';
/** Mesa's lavapipe, which Linux distributions have as a package; lvp_icd.x86_64.json and the like. */
const LAVAPIPE = { folder: '/usr/share/vulkan/icd.d', name: /^lvp_icd\b.*\.json$/ };

/** Where Retune keeps a software device that it downloaded; undefined without a cache folder. */
export function softwareFolder(env = process.env): string | undefined {
  const cache = defaultCacheFolder(env);
  return cache && join(cache, 'software-device');
}

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
  return besideBrowsers(env, places)[0] ?? downloaded(env)[0];
}

/** Whether there is a browser with SwiftShader beside it. */
export const hasWholeBrowser = (env = process.env, places = USUAL_PLACES): boolean =>
  besideBrowsers(env, places).length > 0;

const besideBrowsers = (env: NodeJS.ProcessEnv, places: readonly string[]): string[] =>
  browsers(env, places)
    .map(swiftShaderOf)
    .filter((file) => file !== undefined);

/** The manifest of a software Vulkan device: SwiftShader's or lavapipe's. */
export const findSoftwareVulkan = (): string | undefined =>
  findSwiftShader() ??
  entries(LAVAPIPE.folder)
    .filter((name) => LAVAPIPE.name.test(name))
    .map((name) => join(LAVAPIPE.folder, name))[0];

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
  return folders.map((folder) => join(folder, MANIFEST)).find((file) => existsSync(file));
}

function playwrightBrowsers(env: NodeJS.ProcessEnv): string[] {
  const root = env.PLAYWRIGHT_BROWSERS_PATH ?? join(env.HOME ?? '/root', '.cache/ms-playwright');
  return entries(root)
    .filter((name) => name.startsWith('chromium-'))
    .flatMap((name) => [join(root, name, 'chrome-linux/chrome'), join(root, name, 'chrome-linux64/chrome')]);
}

/** Manifests in the folder of downloads: PACKAGE/FILE, or BROWSER/FOLDER/FILE as Playwright lays them. */
function downloaded(env: NodeJS.ProcessEnv): string[] {
  const root = softwareFolder(env);
  if (root === undefined) {
    return [];
  }
  const first = entries(root).filter((name) => !name.startsWith('.'));
  const folders = first.flatMap((name) => [name, ...entries(join(root, name)).map((sub) => join(name, sub))]);
  return folders.map((folder) => join(root, folder, MANIFEST)).filter((file) => existsSync(file));
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}
