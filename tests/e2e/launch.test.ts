import { spawn } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

// `npm run retune` builds itself if necessary: tested in a copy of the sources that nothing else uses.

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'retune-launch-'));
  const parts = [
    'src',
    'shaders',
    'vite.cli.config.ts',
    'package.json',
    'package-lock.json',
    'tsconfig.json',
  ];
  for (const part of parts) {
    cpSync(part, join(root, part), { recursive: true });
  }
  symlinkSync(resolve('node_modules'), join(root, 'node_modules'));
});
afterAll(() => rmSync(root, { recursive: true }));

const folder = () => join(root, 'dist/cli');
const built = () => join(folder(), 'retune.js');

function launch(): Promise<[code: unknown, text: string]> {
  const child = spawn(process.execPath, [join(root, 'src/cli/launch.mjs'), '--help']);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (some) => (text += String(some)));
  }
  return new Promise((done) => child.on('close', (code) => done([code, text])));
}

it('two builds at once are whole whenever they are seen, and what a killed one left goes', async () => {
  const left = join(folder(), '.999999999.partial');
  mkdirSync(left, { recursive: true });
  writeFileSync(join(left, 'retune.js'), 'console.log(');
  const sizes = new Set<number>();
  const watch = setInterval(() => {
    const info = statSync(built(), { throwIfNoEntry: false });
    if (info) {
      sizes.add(info.size);
    }
  }, 1);
  const begun = Date.now();
  const ended = await Promise.all([launch(), launch()]);
  clearInterval(watch);
  for (const [code, text] of ended) {
    expect(code, text).toBe(0);
    expect(text).toMatch(/^Usage: retune <command> \[options\]\n/);
  }
  expect(sizes).toEqual(new Set([statSync(built()).size]));
  expect(readdirSync(folder())).toEqual(['retune.js']);

  // A source that changes during the build is newer than the result.
  const { mtimeMs } = statSync(built());
  expect(mtimeMs).toBeLessThan(Date.now());
  expect(mtimeMs).toBeGreaterThanOrEqual(begun);
  expect((await launch())[0]).toBe(0);
  expect(statSync(built()).mtimeMs).toBe(mtimeMs);
});
