import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of package.json: two above this source, and two above what it is built into. */
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Whether this is a checkout, with sources to build, and no installed package. */
const IS_CHECKOUT = existsSync(join(ROOT, 'src/cli'));

/** How the command line is started here. */
export const INVOCATION = IS_CHECKOUT ? 'npm run -s retune --' : 'retune';

/** The path, from the current folder, of something that comes with Retune. */
export const bundled = (path: string): string => relative(process.cwd(), join(ROOT, path));
