import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { readPort } from '../../../src/serve/port.ts';
import { checkFree, serve, type Served } from '../../../src/serve/serve.ts';
import { start } from '../../../src/serve/start.ts';

let outDir: string;
beforeAll(() => {
  outDir = mkdtempSync(join(tmpdir(), 'retune-start-'));
  writeFileSync(join(outDir, 'index.html'), '<!doctype html><title>Retune</title>');
});
afterAll(() => rmSync(outDir, { recursive: true }));

const listening = (server: Server, host: string): Promise<number> =>
  new Promise((resolve) => server.listen(0, host, () => resolve((server.address() as AddressInfo).port)));

/** A port that is free at the moment. */
async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listening(server, '127.0.0.1');
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === '::1'),
);

it('takes its own port by default', () => {
  expect(readPort([])).toBe(17388);
  expect(readPort(['--port', '4173'])).toBe(4173);
  expect(readPort(['--port=65535'])).toBe(65535);
});

it.each([
  [['--port', '80'], /^npm start: --port is "80", expected a whole number from 1024 to 65535; change it/],
  [['--port', '1e4'], /--port is "1e4"/],
  [['--port', '65536'], /--port is "65536"/],
  [['--port'], /^npm start: "--port" is not an option, expected nothing or -- --port N\.$/],
  [['--host', '0.0.0.0'], /"--host 0\.0\.0\.0" is not an option/],
  [['\u001b[2J'], /^npm start: "\\u001b\[2J" is not an option/],
])('refuses %j', async (args, sentence) => {
  const said = vi.spyOn(console, 'error').mockReturnValue();
  expect(await start(args)).toBe(2);
  expect(said.mock.lastCall?.[0]).toMatch(sentence);
  said.mockRestore();
});

it('says who has the port, and that another would seem to lose the runs', async () => {
  const other = createServer((_, response) => response.end('something else'));
  const port = await listening(other, '127.0.0.1');
  const lost = 'where the runs that your browser keeps would seem lost; "npm start -- --port N"';
  await expect(checkFree(port)).rejects.toThrow(`Port ${port} is taken: another program has it; end that`);
  await expect(checkFree(port)).rejects.toThrow(lost);
  await expect(serve(port, { open: false, outDir })).rejects.toThrow(
    `Port ${port} is taken: another program`,
  );
  const said = vi.spyOn(console, 'error').mockReturnValue();
  // Before anything is built.
  expect(await start(['--port', `${port}`])).toBe(2);
  expect(said.mock.lastCall?.[0]).toContain(lost);
  said.mockRestore();
  other.close();
});

it.runIf(hasIpv6)('knows of a program that has only the other address of localhost', async () => {
  const other = createServer();
  const port = await listening(other, '::1');
  await expect(checkFree(port)).rejects.toThrow(`Port ${port} is taken`);
  other.close();
});

it('serves this machine alone, opens the page, and says that it is open already', async () => {
  const opened = join(outDir, 'opened');
  writeFileSync(join(outDir, 'browser'), `#!/bin/sh\nprintf %s "$1" > '${opened}'\n`, { mode: 0o755 });
  vi.stubEnv('BROWSER', join(outDir, 'browser'));
  const port = await freePort();
  const served: Served = await serve(port, { open: true, outDir });
  try {
    for (const host of ['127.0.0.1', 'localhost', ...(hasIpv6 ? ['[::1]'] : [])]) {
      const answer = await fetch(`http://${host}:${port}/`);
      expect(await answer.text(), host).toContain('<title>Retune</title>');
      expect(answer.headers.get('cross-origin-opener-policy'), host).toBe('same-origin');
    }
    const others = Object.values(networkInterfaces())
      .flatMap((all) => all ?? [])
      .filter(({ internal }) => !internal);
    for (const { address, family } of others.filter(({ scopeid }) => !scopeid)) {
      await expect(
        fetch(`http://${family === 'IPv6' ? `[${address}]` : address}:${port}/`, {
          signal: AbortSignal.timeout(2000),
        }),
        address,
      ).rejects.toThrow();
    }
    await expect.poll(() => readFileSync(opened, { encoding: 'utf8', flag: 'a+' })).toBe(served.url);
    expect(served.url).toBe(`http://localhost:${port}/`);
    await expect(checkFree(port)).rejects.toThrow(
      `Port ${port} is taken: Retune runs there already; open http://localhost:${port}/`,
    );
  } finally {
    await served.close();
    vi.unstubAllEnvs();
  }
  await checkFree(port);
});
