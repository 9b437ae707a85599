import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

// The package as a user installs it: packed from a copy of the sources, installed into an empty folder, without
// anything of this checkout beside it.

let root: string;
const run = (command: string, args: readonly string[], cwd: string) =>
  execFileSync(command, args, { cwd, encoding: 'utf8', env: { ...process.env, NODE_ENV: 'production' } });
const retune = () => join(root, 'user/node_modules/.bin/retune');

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'retune-packed-'));
  const source = join(root, 'source');
  mkdirSync(source);
  const parts = run('git', ['ls-files', '--cached', '--others', '--exclude-standard'], '.');
  const packed = parts.split('\n').filter((path) => path !== '' && existsSync(path));
  for (const path of packed.filter((p) => !p.startsWith('tests/') || p.includes('/recipe_text/'))) {
    cpSync(path, join(source, path), { recursive: true });
  }
  symlinkSync(resolve('node_modules'), join(source, 'node_modules'));
  run('npm', ['pack', '--silent', '--pack-destination', root], source);
  const tarball = readdirSync(root).find((name) => name.endsWith('.tgz'))!;
  mkdirSync(join(root, 'user'));
  run('npm', ['init', '-y', '--silent'], join(root, 'user'));
  run(
    'npm',
    ['install', '--no-audit', '--no-fund', '--prefer-offline', join(root, tarball)],
    join(root, 'user'),
  );
}, 900_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

it('prints its help, and installs no tool of development', () => {
  expect(run(retune(), [], root)).toMatch(/^Usage: retune <command> \[options\]\n/);
  const installed = readdirSync(join(root, 'user/node_modules'));
  expect(installed).toContain('webgpu');
  for (const tool of ['vite', 'vitest', 'typescript', 'playwright-core', 'eslint']) {
    expect(installed).not.toContain(tool);
  }
});

it('runs the example, with its own files', () => {
  const out = run(retune(), ['example', '--output', 'v2'], join(root, 'user'));
  expect(out).toMatch(/^> retune finetune --base \S*recipe_text\/base /m);
  expect(out).toMatch(/^Finished 8 steps/m);
  expect(existsSync(join(root, 'user/v2/adapter_model.safetensors'))).toBe(true);
});

it('serves the page', async () => {
  const port = await freePort();
  const child = spawn(retune(), ['start', '--port', `${port}`], {
    env: { ...process.env, BROWSER: 'none' },
    cwd: join(root, 'user'),
  });
  let said = '';
  child.stdout.on('data', (chunk) => (said += String(chunk)));
  child.stderr.on('data', (chunk) => (said += String(chunk)));
  try {
    await expect.poll(() => said, { timeout: 60_000 }).toContain(`Retune is at http://localhost:${port}/`);
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    const page = await answer.text();
    expect([answer.status, answer.headers.get('cross-origin-embedder-policy')]).toEqual([
      200,
      'require-corp',
    ]);
    const script = /src="(\.\/assets\/[^"]+\.js)"/.exec(page)![1]!;
    for (const path of [script, 'demo/base/model.safetensors', 'sw.js']) {
      expect((await fetch(new URL(path, `http://127.0.0.1:${port}/`))).status, path).toBe(200);
    }
  } finally {
    child.kill();
  }
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}
