import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'vite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { lockFacts, OutputLock } from '../../../src/cli/output-lock.ts';

const built = mkdtempSync(join(tmpdir(), 'retune-hold-'));
beforeAll(async () => {
  const ssr = 'tests/support/hold-output.ts';
  await build({
    configFile: false,
    publicDir: false,
    logLevel: 'error',
    build: { ssr, outDir: built, rolldownOptions: { output: { entryFileNames: '[name].mjs' } } },
  });
});
afterAll(() => rmSync(built, { recursive: true }));

let work: string;
let children: ChildProcess[];
let locks: OutputLock[];
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'retune-lock-'));
  children = [];
  locks = [];
});
afterEach(() => {
  for (const child of children) {
    child.kill('SIGKILL');
  }
  for (const lock of locks) {
    lock.release();
  }
  rmSync(work, { recursive: true });
});

const output = () => join(work, 'deep/out');
const newLock = () => {
  const lock = new OutputLock(output());
  locks.push(lock);
  return lock;
};
const lockFile = () => join(output(), '.retune.lock');
const HERE = `process \\d+ on the host "${hostname()}" since \\S+`;

/** Another process that tries to hold the output. */
function holder(signal?: string) {
  const args = [join(built, 'hold-output.mjs'), output(), ...(signal === undefined ? [] : [signal])];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  let said = '';
  const line = (begin: RegExp) =>
    new Promise<string>((resolve) =>
      child.stdout.on('data', (text) => {
        said += text;
        const found = said.split('\n').find((whole) => begin.test(whole));
        if (found !== undefined) {
          resolve(found);
        }
      }),
    );
  const end = new Promise((resolve) => child.on('exit', resolve));
  return { child, ready: line(/^ready/), outcome: line(/^(held|refused)/), end };
}

async function refusalOf(lock: OutputLock): Promise<string> {
  const error = await lock.take().catch((e: unknown) => e);
  expect(error).toMatchObject({ name: 'UserError' });
  return (error as Error).message;
}

describe('the lock of an output', () => {
  it('is taken once, and leaves nothing behind that it made', async () => {
    const lock = newLock();
    await lock.check();
    await lock.take();
    await lock.take();
    expect(readdirSync(output())).toEqual(['.retune.lock']);
    expect(JSON.parse(readFileSync(lockFile(), 'utf8'))).toMatchObject({
      pid: process.pid,
      host: hostname(),
    });
    const second = await refusalOf(newLock());
    expect(second).toMatch(
      new RegExp(
        `^${output()}: another run writes there, ${HERE}; wait for it, stop it, or choose another --output\\.$`,
      ),
    );
    expect(second).toContain(`process ${process.pid} `);
    lock.release();
    expect(readdirSync(work)).toEqual([]);
  });

  it('leaves what was there, and what a run wrote', async () => {
    mkdirSync(output(), { recursive: true });
    const lock = newLock();
    await lock.take();
    lock.release();
    expect(readdirSync(output())).toEqual([]);
    rmSync(join(work, 'deep'), { recursive: true });
    const other = newLock();
    await other.take();
    writeFileSync(join(output(), 'file'), '');
    other.release();
    expect(readdirSync(output())).toEqual(['file']);
  });

  it('is given back when its process ends', async () => {
    const { child, outcome, end } = holder();
    expect(await outcome).toBe('held');
    expect(existsSync(lockFile())).toBe(true);
    child.stdin.end();
    await end;
    expect(readdirSync(work)).toEqual([]);
  });

  it('is refused while its process lives, and taken over when that was killed', async () => {
    const { child, outcome, end } = holder();
    await outcome;
    await expect(newLock().check()).rejects.toThrow(`process ${child.pid} `);
    expect(await lockFacts(output())).toMatch(new RegExp(`^process ${child.pid} .* writes there$`));
    child.kill('SIGKILL');
    await end;
    expect(await lockFacts(output())).toMatch(
      new RegExp(`^process ${child.pid} .* left its lock there and is gone; the next run takes it over$`),
    );
    const next = newLock();
    await next.check();
    await next.take();
    expect(readdirSync(output())).toEqual(['.retune.lock']);
    next.release();
    expect(await lockFacts(output())).toBeUndefined();
  });

  const rewrite = (change: object) => {
    const json = JSON.parse(readFileSync(lockFile(), 'utf8')) as object;
    writeFileSync(lockFile(), JSON.stringify({ ...json, token: 'another', ...change }));
  };

  it.each<[string, (path: string) => unknown]>([
    ['a link that leads nowhere', (path) => symlinkSync('nowhere', path)],
    ['a link to itself', (path) => symlinkSync(path, path)],
    ['a pipe', (path) => execFileSync('mkfifo', [path])],
    ['a folder', (path) => mkdirSync(path)],
    ['an endless file', (path) => symlinkSync('/dev/zero', path)],
    ['a large file', (path) => writeFileSync(path, ' '.repeat(2 ** 17))],
    ['JSON of something else', (path) => writeFileSync(path, '{"pid": 1}')],
  ])('says which run holds it, or is named: %s', async (_, make) => {
    mkdirSync(output(), { recursive: true });
    make(lockFile());
    const sentence = `${lockFile()}: this lock does not say which run holds it; delete it if no run writes there, or choose another --output.`;
    await Promise.all([
      expect(newLock().check()).rejects.toThrow(sentence),
      expect(lockFacts(output())).rejects.toThrow(sentence),
      expect(refusalOf(newLock())).resolves.toBe(sentence),
    ]);
  });

  it('is taken over where another process has its number by now', async () => {
    await newLock().take();
    rewrite({ start: 'long ago' });
    await newLock().take();
    expect(readFileSync(lockFile(), 'utf8')).not.toContain('long ago');
  });

  it.each([{ host: 'another-host\u001b[2J' }, { space: 'pid:[1]' }])(
    'of another host is never taken: %j',
    async (change) => {
      await newLock().take();
      rewrite({ ...change, pid: 2 ** 30 });
      const before = readFileSync(lockFile());
      const path = lockFile();
      expect(await refusalOf(newLock())).toContain(
        `, which cannot be asked from here; choose another --output, or delete ${path} if that run is gone.`,
      );
      expect(await lockFacts(output())).toContain(`cannot be seen from here; then delete ${path}`);
      expect(readFileSync(lockFile())).toEqual(before);
    },
  );

  it.each(['', '{"pid": 1', '{"pid": -1}', '[]'])(
    'that does not say whose it is names itself: %j',
    async (text) => {
      mkdirSync(output(), { recursive: true });
      writeFileSync(lockFile(), text);
      expect(await refusalOf(newLock())).toBe(
        `${lockFile()}: this lock does not say which run holds it; delete it if no run writes there, or choose another --output.`,
      );
    },
  );
});

it.each(['.retune.lock', '.retune.lock.takeover'])(
  'of many that find a dead %s at once, one has it',
  async (dead) => {
    const first = holder();
    await first.outcome;
    first.child.kill('SIGKILL');
    await first.end;
    // A process that died while taking over a dead lock has left two.
    writeFileSync(join(output(), dead), readFileSync(lockFile()));
    const start = join(work, 'start');
    const many = Array.from({ length: 4 }, () => holder(start));
    await Promise.all(many.map(({ ready }) => ready));
    writeFileSync(start, '');
    const outcomes = await Promise.all(many.map(({ outcome }) => outcome));
    expect(outcomes.filter((outcome) => outcome === 'held')).toHaveLength(1);
    const winner = many[outcomes.indexOf('held')]!;
    const { pid } = JSON.parse(readFileSync(lockFile(), 'utf8')) as { pid: number };
    expect(pid).toBe(winner.child.pid);
    expect(readdirSync(output())).toEqual(['.retune.lock']);
  },
);
