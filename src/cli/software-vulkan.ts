import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

const BROWSERS = [
  process.env.CHROME_PATH,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/usr/lib/chromium/chromium',
  '/opt/google/chrome/chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  ...playwrightBrowsers(),
];

/** Chrome or Chromium on this machine: CHROME_PATH first, then the usual places. */
export function findBrowser(): string | undefined {
  return BROWSERS.find((path): path is string => !!path && existsSync(path));
}

/** The description file of SwiftShader, the software Vulkan device that comes with Chrome; undefined without one. */
export function findSwiftShader(): string | undefined {
  const browser = findBrowser();
  const folders = ['/usr/lib/chromium', '/opt/google/chrome'];
  if (browser) folders.unshift(dirname(realpathSync(browser)));
  return folders.map((folder) => join(folder, 'vk_swiftshader_icd.json')).find((file) => existsSync(file));
}

function playwrightBrowsers(): string[] {
  const root =
    process.env.PLAYWRIGHT_BROWSERS_PATH ?? join(process.env.HOME ?? '/root', '.cache/ms-playwright');
  if (!existsSync(root)) return [];
  return readdirSync(root)
    .filter((name) => name.startsWith('chromium-'))
    .flatMap((name) => [join(root, name, 'chrome-linux/chrome'), join(root, name, 'chrome-linux64/chrome')]);
}
