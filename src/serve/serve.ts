import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { preview } from 'vite';
import { UserError } from '../formats/user-error.ts';

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
    `Port ${port} is taken: ${who} Another port is another address, where the runs that your browser keeps would seem lost; "npm start -- --port N" takes one all the same.`,
  );
}

export interface Served {
  url: string;
  close(): Promise<void>;
}

/** Serves the built page at a port of this machine, which no other machine reaches. Throws UserError. */
export async function serve(port: number, options: { open: boolean; outDir?: string }): Promise<Served> {
  const url = `http://localhost:${port}/`;
  const [host, second] = LOOPBACK;
  try {
    const server = await preview({
      logLevel: 'error',
      build: { outDir: options.outDir ?? 'dist' },
      preview: { host, port, strictPort: true, open: options.open && url },
    });
    const other = await listen(createServer(server.middlewares), second, port);
    return {
      url,
      close: async () => {
        other?.closeAllConnections();
        other?.close();
        await server.close();
      },
    };
  } catch (error) {
    // Somebody was quicker.
    await checkFree(port);
    throw error;
  }
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
    server.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRNOTAVAIL' || error.code === 'EAFNOSUPPORT' ? resolve(undefined) : reject(error),
    );
    server.listen(port, host, () => resolve(server));
  });
}
