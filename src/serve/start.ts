import { build } from 'vite';
import { UserError } from '../formats/user-error.ts';
import { buildFolder } from './build-folder.ts';
import { readPort } from './port.ts';
import { checkFree, servePage } from './serve.ts';

/** Builds the page, serves it to this machine and opens it; returns the exit code where that cannot be. */
export async function start(args: readonly string[]): Promise<number | undefined> {
  try {
    const port = readPort(args);
    await checkFree(port);
    // A NODE_ENV of somebody's shell would make a build without its service worker.
    process.env.NODE_ENV = 'production';
    console.log('Building the page…');
    const outDir = buildFolder();
    await build({ logLevel: 'error', build: { outDir, emptyOutDir: true } });
    await servePage(port, outDir, (line) => console.log(line));
    return undefined;
  } catch (error) {
    if (!(error instanceof UserError)) {
      throw error;
    }
    console.error(error.message);
    return 2;
  }
}
