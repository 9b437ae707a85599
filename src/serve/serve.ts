import type { RequestListener, Server } from 'node:http';
import { connect } from 'node:net';
import { START } from '../cli/package-root.ts';
import { UserError } from '../formats/user-error.ts';
import { guard } from './guard.ts';
import { aboutPort } from './port.ts';

/** Both addresses of `localhost`: a browser asks whichever answers, so the page must be behind each. */
const LOOPBACK = ['127.0.0.1', '::1'] as const;

/** How long another program on the port has to say what it is. */
const PATIENCE_MS = 1000;

/** Throws UserError where somebody listens at the port. */
export async function checkFree(port: number): Promise<void> {
  const taken = await Promise.all(LOOPBACK.map((host) => listens(host, port)));
  if (!taken.includes(true)) {
    return;
  }
  const url = `http://localhost:${port}/`;
  const who = (await isRetune(url))
    ? `Retune runs there already; open ${url}, or end that one first.`
    : 'another program has it; end that program and start again.';
  throw new UserError(
    `Port ${port} is taken: ${who} Another port is another address, where the runs that your browser keeps would seem lost; "${START.withPort}" takes one all the same.`,
  );
}

export interface Served {
  url: string;
  close(): Promise<void>;
}

/** Serves the built page at a port of this machine, which no other machine reaches. Throws UserError. */
export async function serve(
  port: number,
  { open, outDir }: { open: boolean; outDir: string },
): Promise<Served> {
  const url = `http://localhost:${port}/`;
  // Loaded late, as the packages below are: few commands serve.
  const { createServer } = await import('node:http');
  const page = await pageOf(outDir);
  const servers: Server[] = [];
  const close = async () => {
    for (const server of servers) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  };
  try {
    for (const host of LOOPBACK) {
      const server = await listen(createServer(page), host, port);
      servers.push(...(server ? [server] : []));
    }
  } catch (error) {
    await close();
    // Somebody was quicker.
    await checkFree(port);
    throw error;
  }
  if (open) {
    await openPage(url);
  }
  return { url, close };
}

/** Answers with the files of a folder, behind the guard. */
export async function pageOf(outDir: string): Promise<RequestListener> {
  const { default: sirv } = await import('sirv');
  const files = sirv(outDir, { dev: true, etag: true });
  return (request, response) =>
    guard(request, response, () =>
      files(request, response, () => {
        response.writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8' });
        response.end('Not found\n');
      }),
    );
}

/** In the browser that BROWSER names, otherwise in the usual one; without any, the printed address is enough. */
async function openPage(url: string): Promise<void> {
  const { BROWSER } = process.env;
  if (BROWSER === 'none') {
    return;
  }
  const { default: openUrl } = await import('open');
  const program = await openUrl(url, BROWSER ? { app: { name: BROWSER } } : {}).catch(() => undefined);
  program?.on('error', () => undefined);
}

/** Serves the built page, opens it and says where it is. Throws UserError. */
export async function servePage(port: number, outDir: string, say: (line: string) => void): Promise<void> {
  const { url } = await serve(port, { open: true, outDir });
  say(`Retune is at ${url}, for this machine only. Ctrl-C ends it.`);
  aboutPort(port).forEach(say);
}

function listens(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: PATIENCE_MS });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.on('connect', () => end(true));
    // What neither accepts nor refuses holds the port too.
    socket.on('timeout', () => end(true));
    socket.on('error', () => end(false));
  });
}

const isRetune = (url: string): Promise<boolean> =>
  fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) }).then(
    async (answer) => /<title>Retune<\/title>/.test(await answer.text()),
    () => false,
  );

/** undefined where the machine has no such address, as one without IPv6. */
function listen(server: Server, host: string, port: number): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRNOTAVAIL' || error.code === 'EAFNOSUPPORT' ? resolve(undefined) : reject(error),
    );
    server.listen(port, host, () => resolve(server));
  });
}
