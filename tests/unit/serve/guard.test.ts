import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingHttpHeaders, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, preview } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { securityHeaders } from '../../../src/platform/security-headers.ts';
import { pageOf } from '../../../src/serve/serve.ts';

const TYPES = {
  '/': 'text/html',
  '/assets/host.js': 'text/javascript',
  '/model.safetensors': 'application/octet-stream',
  '/train.jsonl': 'text/plain',
  '/chat_template.jinja': 'text/plain',
  '/training_config.yaml': 'text/yaml',
  '/manifest.webmanifest': 'application/manifest+json',
  '/icon.svg': 'image/svg+xml',
  '/kernel.wasm': 'application/wasm',
};

interface Got {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

/** Requests any path with any Host, which fetch cannot. */
function get(port: number, path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Got> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }));
    });
    asked.on('error', reject).end();
  });
}

let folder: string;
let closing: (() => Promise<unknown>)[] = [];
const ports: Record<string, number> = {};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'retune-guard-'));
  const outDir = join(folder, 'dist');
  mkdirSync(join(outDir, 'assets'), { recursive: true });
  writeFileSync(join(outDir, 'index.html'), '<!doctype html><title>Retune</title>');
  for (const path of Object.keys(TYPES).slice(1)) {
    writeFileSync(join(outDir, path), 'content');
  }
  writeFileSync(join(folder, 'secret'), 'not to be served');
  const listen = { port: 0, host: '127.0.0.1', open: false };
  const common = { logLevel: 'silent', cacheDir: join(folder, 'cache') } as const;
  const page = createHttpServer(await pageOf(outDir));
  await new Promise<void>((resolve) => page.listen(0, '127.0.0.1', resolve));
  const dev = await (await createServer({ ...common, server: { ...listen, watch: null } })).listen();
  const checked = await preview({ ...common, build: { outDir }, preview: listen });
  closing = [() => new Promise((resolve) => page.close(resolve)), () => dev.close(), () => checked.close()];
  for (const [name, server] of [
    ['npm start', page],
    ['npm run dev', dev.httpServer],
    ['the page tests', checked.httpServer],
  ] as const) {
    ports[name] = (server!.address() as AddressInfo).port;
  }
});

afterAll(async () => {
  await Promise.all(closing.map((close) => close()));
  rmSync(folder, { recursive: true });
});

describe.each(['npm start', 'npm run dev', 'the page tests'])('the server of %s', (name) => {
  it('gives every response the security headers, its refusals too', async () => {
    const port = ports[name]!;
    const page = await get(port, '/');
    const etag = page.headers.etag;
    const answers = {
      page,
      unchanged: await get(port, '/', { 'If-None-Match': etag! }),
      missing: await get(port, '/nothing/here'),
      'a broken address': await get(port, '/%ff'),
      'a post': await get(port, '/', {}, 'POST'),
      options: await get(port, '/', { Origin: 'http://localhost:5173' }, 'OPTIONS'),
      foreign: await get(port, '/', { Host: 'evil.example' }),
    };
    expect(page.status).toBe(200);
    expect(answers.missing.status).toBe(404);
    expect(answers.foreign.status).toBe(403);
    const told = Object.entries(securityHeaders).map(([key, value]) => [key.toLowerCase(), value] as const);
    for (const [what, { headers }] of Object.entries(answers)) {
      for (const [key, value] of told) {
        expect(headers[key], `${key} of ${what}`).toBe(value);
      }
      expect(headers['access-control-allow-origin'], what).toBeUndefined();
    }
  });

  it('answers to the names of this machine and to no other', async () => {
    const port = ports[name]!;
    const status = async (host: string) => (await get(port, '/', { Host: host })).status;
    const own = ['localhost', `localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`];
    for (const host of own) {
      expect(await status(host), host).toBe(200);
    }
    const foreign = [
      ...['evil.example', `evil.example:${port}`, 'localhost.evil.example', 'evil.localhost', '10.0.0.1'],
      ...['0.0.0.0', '127.0.0.2', '[::]', 'localhost@evil.example', 'localhost:x', 'file://x', ' '],
    ];
    for (const host of foreign) {
      expect(await status(host), host).toBe(403);
    }
    expect((await get(port, '/', { Host: 'evil.example' })).text).toMatch(
      /localhost, 127\.0\.0\.1 and \[::1\] only/,
    );
  });
});

it('npm start says of each file what it is, and serves nothing from outside of its folder', async () => {
  const port = ports['npm start']!;
  for (const [path, type] of Object.entries(TYPES)) {
    const { status, headers } = await get(port, path);
    expect([status, headers['content-type']?.split(';')[0]], path).toEqual([200, type]);
  }
  const outside = [
    ...['/../secret', '/..%2fsecret', '/%2e%2e/secret', '/%2e%2e%2fsecret', '/assets/../../secret'],
    ...['/..%5csecret', '//secret', '/./../secret', `/@fs${folder}/secret`, `/${folder}/secret`],
  ];
  for (const path of outside) {
    const { status, text } = await get(port, path);
    expect(status, path).toBeGreaterThanOrEqual(400);
    expect(text, path).not.toContain('not to be served');
  }
});
