import { build } from 'vite';
import { quote } from '../formats/quote.ts';
import { UserError } from '../formats/user-error.ts';
import { EARLIER_PORT, PORT } from '../platform/ports.ts';
import { buildFolder } from './build-folder.ts';
import { checkFree, serve } from './serve.ts';

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
    const { url } = await serve(port, { open: true, outDir });
    console.log([`Retune is at ${url}, for this machine only. Ctrl-C ends it.`, ...about(port)].join('\n'));
    return undefined;
  } catch (error) {
    if (!(error instanceof UserError)) {
      throw error;
    }
    console.error(error.message);
    return 2;
  }
}

/** The port that the arguments name. Throws UserError. */
export function readPort(args: readonly string[]): number {
  const line = args.join(' ');
  if (line === '') {
    return PORT;
  }
  const port = /^--port[ =](.*)$/s.exec(line)?.[1];
  if (port === undefined) {
    throw new UserError(`npm start: ${quote(line)} is not an option, expected nothing or -- --port N.`);
  }
  const number = Number(port);
  if (/^\d{4,5}$/.test(port) && number >= 1024 && number <= 65535) {
    return number;
  }
  throw new UserError(
    `npm start: --port is ${quote(port)}, expected a whole number from 1024 to 65535; change it, or leave it out for ${PORT}.`,
  );
}

/** What is to be known of another port than the usual. */
function about(port: number): string[] {
  if (port === PORT) {
    return [];
  }
  if (port === EARLIER_PORT) {
    return [
      `Runs of earlier versions are here: export them under Runs, and import them at http://localhost:${PORT}/ (npm start).`,
    ];
  }
  return [
    `Runs that were started at http://localhost:${PORT}/ do not show here: a browser keeps them by address.`,
  ];
}
