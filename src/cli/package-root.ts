import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of package.json: two above this source, and two above what it is built into. */
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Whether this is a checkout, with sources to build, and no installed package. */
const IS_CHECKOUT = existsSync(join(ROOT, 'src/cli'));

/** How the command line is started here. */
export const INVOCATION = IS_CHECKOUT ? 'npm run -s retune --' : 'retune';

/** How the page is started here, and at another port. */
export const START = IS_CHECKOUT
  ? { command: 'npm start', withPort: 'npm start -- --port N', port: '-- --port N' }
  : { command: 'retune start', withPort: 'retune start --port N', port: '--port N' };

/** The page as it is built for the package; undefined in a checkout, where it may be older than its sources. */
export const builtPage = (): string | undefined => (IS_CHECKOUT ? undefined : join(ROOT, 'dist/page'));

/** The path, from the current folder, of something that comes with Retune. */
export const bundled = (path: string): string => relative(process.cwd(), join(ROOT, path));

/** Retune's version; undefined for the single file, which has no package beside it. */
export async function ownVersion(): Promise<string | undefined> {
  const text = await readFile(join(ROOT, 'package.json'), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as { version: string }).version;
}
