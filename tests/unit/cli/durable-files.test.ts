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
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkWritable, makeFolder, move, replaceFiles, syncFolder } from '../../../src/cli/durable-files.ts';
import { textFile } from '../../../src/run/checkpoint/store.ts';
import { type Fault, injectFaults } from '../../support/faults.mjs';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'retune-durable-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const path = (name: string) => join(folder, name);
const text = (name: string) => readFileSync(path(name), 'utf8');

/** Runs `work` with a fault; resolves to how it failed and what it did. */
async function struck(fault: Omit<Fault, 'under'>, work: () => Promise<unknown>) {
  const faults = injectFaults({ under: folder, ...fault });
  try {
    const error = await work().then(
      () => undefined,
      (e: unknown) => (e as Error).message,
    );
    return { error, ops: faults.trace.map(({ op, path }) => `${op} ${path.slice(folder.length + 1)}`) };
  } finally {
    faults.undo();
  }
}

describe('files that take the place of others', () => {
  const two = () =>
    replaceFiles([
      [path('a'), textFile('new a')],
      [path('b'), textFile('new b')],
    ]);

  it('are never some old and some new, wherever it ends', async () => {
    const { ops } = await struck({}, two);
    for (let at = 1; at <= ops.length; at++) {
      // The folder is there already.
      if (ops[at - 1]!.startsWith('mkdir')) {
        continue;
      }
      writeFileSync(path('a'), 'old a');
      writeFileSync(path('b'), 'old b');
      const { error } = await struck({ at, fault: 'EIO' }, two);
      expect(error, ops[at - 1]).toMatch(/^\S+: cannot be written \(EIO\); check .*\.$/);
      const found = ['a', 'b'].filter((name) => existsSync(path(name))).map(text);
      expect(new Set(found.map((content) => content.slice(0, 3))).size, ops[at - 1]).toBeLessThanOrEqual(1);
      expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([]);
    }
  });

  it('are not written through a link that lies where they are prepared', async () => {
    writeFileSync(path('v1'), 'untouched');
    symlinkSync(path('v1'), path(`.a.${process.pid}.partial`));
    await replaceFiles([[path('a'), textFile('new')]]);
    expect([text('v1'), text('a')]).toEqual(['untouched', 'new']);
    expect(readdirSync(folder).toSorted()).toEqual(['a', 'v1']);
  });

  it('may have names as long as the disk takes them', async () => {
    for (const name of ['n'.repeat(255), '€'.repeat(85), 'n'.repeat(216), `${'n'.repeat(254)}x`]) {
      await replaceFiles([[path(name), textFile('first')]]);
      // Left by a process that is gone.
      const { ops } = await struck({}, () => replaceFiles([[path(name), textFile('second')]]));
      const written = ops.find((op) => op.startsWith('write '))!.slice('write '.length);
      writeFileSync(path(written.replace(/\d+(?=\.partial)/, '999999999')), 'half');
      await replaceFiles([[path(name), textFile('third')]]);
      expect(text(name)).toBe('third');
    }
    expect(readdirSync(folder)).toHaveLength(4);
  });

  it('name the option that named their place', async () => {
    const one = () => replaceFiles([[path('a.csv'), textFile('x')]], { option: '--csv' });
    const { error } = await struck({ at: 3, fault: 'short' }, one);
    expect(error).toMatch(
      /a\.csv: the disk is full: .*; make room there or choose another --csv, then start/,
    );
  });
});

describe('folders', () => {
  it('are made one after the other, and each is on disk before the next', async () => {
    const { ops } = await struck({}, () => makeFolder(path('x/y')));
    expect(ops).toEqual(['mkdir x/y', 'mkdir x', 'fsync ', 'mkdir x/y', 'fsync x']);
    expect((await struck({}, () => makeFolder(path('x/y')))).ops).toEqual(['mkdir x/y']);
  });

  it('can be created by several processes at once', async () => {
    const both = await Promise.allSettled([makeFolder(path('x/y')), makeFolder(path('x/y'))]);
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
  });

  it.each(['EINVAL', 'ENOTSUP', 'EACCES'])(
    'need not be synced where the file system answers %s',
    async (fault) => expect((await struck({ at: 1, fault }, () => syncFolder(folder))).error).toBeUndefined(),
  );

  it('that cannot be synced are reported', async () => {
    expect((await struck({ at: 1, fault: 'EIO' }, () => syncFolder(folder))).error).toMatch(/EIO/);
  });
});

describe('moving', () => {
  const { platform } = process;
  const on = (name: string) => Object.defineProperty(process, 'platform', { value: name });
  afterEach(() => on(platform));

  it.each(['EPERM', 'EACCES', 'EBUSY'])(
    'waits on Windows while others have a look at the file: %s',
    async (fault) => {
      on('win32');
      writeFileSync(path('a'), 'new');
      writeFileSync(path('b'), 'old');
      const { error, ops } = await struck({ at: 1, fault, times: 3 }, () => move(path('a'), path('b')));
      expect([error, ops.length, text('b')]).toEqual([undefined, 4, 'new']);
    },
  );

  it('does not wait for ever, nor elsewhere', async () => {
    on('win32');
    mkdirSync(path('a'));
    const begun = performance.now();
    expect(
      (await struck({ at: 1, fault: 'EPERM', times: 99 }, () => move(path('a'), path('b')))).error,
    ).toMatch(/EPERM/);
    expect(performance.now() - begun).toBeLessThan(20_000);
    on('linux');
    const { error, ops } = await struck({ at: 1, fault: 'EPERM' }, () => move(path('a'), path('b')));
    expect([error !== undefined, ops.length]).toEqual([true, 1]);
  });
});

describe('a place that cannot be written is reported before the work', () => {
  const refusal = (name: string) =>
    checkWritable(path(name)).then(
      () => 'none',
      (error: unknown) => (error as Error).message.replaceAll(folder, '~'),
    );

  it('a link that leads nowhere, also on the way', async () => {
    symlinkSync(path('nothing'), path('link'));
    const end = `is a link to ${folder}/nothing, which is not there; make that folder, or choose another --output.`;
    expect(await refusal('link')).toBe(`~/link: this ${end}`.replaceAll(folder, '~'));
    expect(await refusal('link/a/b')).toBe(`~/link/a/b: on the way, ~/link ${end}`.replaceAll(folder, '~'));
    mkdirSync(path('nothing'));
    expect(await refusal('link/a/b')).toBe('none');
  });

  it('a circle of links, a name that is too long, a file on the way', async () => {
    symlinkSync(path('loop'), path('loop'));
    expect(await refusal('loop/a')).toMatch(/^~\/loop\/a: is a chain of links that ends nowhere; /);
    expect(await refusal('n'.repeat(256))).toMatch(/\(ENAMETOOLONG\); choose a shorter one\.$/);
    expect(await refusal('d/'.repeat(2100))).toMatch(/\(ENAMETOOLONG\); choose a shorter one\.$/);
    writeFileSync(path('file'), '');
    expect(await refusal('file/a')).toBe(
      '~/file/a: expected a folder for the output, found a file on the way, ~/file; choose another --output.',
    );
  });
});

// Linux has this folder, which is no disk.
it.runIf(existsSync('/proc/self'))('what is no disk is not called a full one', async () => {
  await expect(replaceFiles([['/proc/retune/file', textFile('x')]])).rejects.toThrow(
    '/proc/retune/file: cannot be written (ENOENT); check that you may write there, or choose another --output.',
  );
});
