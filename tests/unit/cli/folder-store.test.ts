import { execFile } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkApart } from '../../../src/cli/apart.ts';
import { writeDurably, type WriteFile } from '../../../src/cli/durable-files.ts';
import { FolderStore } from '../../../src/cli/folder-store.ts';
import { UserError } from '../../../src/formats/user-error.ts';
import { type Files, textFile } from '../../../src/run/checkpoint/store.ts';

let work: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'retune-store-'));
});
afterEach(() => rmSync(work, { recursive: true }));

const output = () => join(work, 'deep/out');
const names = (folder = output()) => readdirSync(folder).toSorted();
const text = (...path: string[]) => readFileSync(join(output(), ...path), 'utf8');
const files = (mark: string): Files => ({
  'weights.bin': [...textFile(`first ${mark} `), ...textFile(`second ${mark}`)],
  'last.json': textFile(mark),
});

/** A disk that is full from its `room`-th file on. */
function fullAfter(room: number): WriteFile {
  return async (path, chunks) => {
    if (room-- > 0) {
      return writeDurably(path, chunks);
    }
    writeFileSync(path, 'half');
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), {
      code: 'ENOSPC',
      syscall: 'write',
    });
  };
}

async function messageOf(work: () => Promise<unknown>): Promise<string> {
  const error = await work().catch((e: unknown) => e);
  expect(error).toBeInstanceOf(UserError);
  return (error as UserError).message;
}

describe('an output folder', () => {
  it('is made by the first write only', async () => {
    const store = await FolderStore.open(output());
    expect(await store.checkpoints()).toEqual([]);
    expect(await (await store.openResult()).list()).toEqual([]);
    await store.unfinish('last.json');
    expect(readdirSync(work)).toEqual([]);
  });

  it('keeps checkpoints, lists them by number and gives their files back', async () => {
    const store = await FolderStore.open(output());
    for (const step of [3, 20, 100]) {
      await store.saveCheckpoint(step, files(`of ${step}`));
    }
    mkdirSync(join(output(), 'checkpoint-old'));
    expect(await store.checkpoints()).toEqual([3, 20, 100]);
    const folder = await store.openCheckpoint(20);
    expect(await folder.list()).toEqual(['last.json', 'weights.bin']);
    expect(text('checkpoint-20', 'weights.bin')).toBe('first of 20 second of 20');
    await store.removeCheckpoint(20);
    await store.removeCheckpoint(20);
    expect(names()).toEqual(['checkpoint-100', 'checkpoint-3', 'checkpoint-old']);
  });

  it('replaces a checkpoint of the same step', async () => {
    const store = await FolderStore.open(output());
    await store.saveCheckpoint(0, { ...files('old'), 'extra.bin': textFile('old') });
    await store.saveCheckpoint(0, files('new'));
    expect(names(store.checkpointName(0))).toEqual(['last.json', 'weights.bin']);
    expect(text('checkpoint-0', 'last.json')).toBe('new');
    expect(names()).toEqual(['checkpoint-0']);
  });

  it('puts the result and the logs beside them, the last file after all others', async () => {
    const order: string[] = [];
    const store = await FolderStore.open(output(), async (path, chunks) => {
      order.push(path);
      await writeDurably(path, chunks);
    });
    await store.saveResult({ 'last.json': textFile('end'), 'weights.bin': textFile('w') }, 'last.json');
    expect(order.map((path) => path.replace(/.*\//, ''))).toEqual([
      `.weights.bin.${process.pid}.partial`,
      `.last.json.${process.pid}.partial`,
    ]);
    await store.writeLog('events', textFile('one')[0]!);
    await store.writeLog('events', textFile('two')[0]!);
    expect(names()).toEqual(['last.json', 'logs', 'weights.bin']);
    expect(text('logs', 'events')).toBe('two');
    await store.unfinish('last.json');
    expect(names()).toEqual(['logs', 'weights.bin']);
  });

  it('puts back a checkpoint whose place was about to be taken, unless it has been', async () => {
    const store = await FolderStore.open(output());
    await store.saveCheckpoint(5, files('old'));
    const [place, aside] = [
      join(output(), 'checkpoint-5'),
      join(output(), '.checkpoint-5-replaced.1.partial'),
    ];
    renameSync(place, aside);
    mkdirSync(join(output(), '.checkpoint-5.1.partial'));
    expect(await (await FolderStore.open(output())).checkpoints()).toEqual([5]);
    expect(text('checkpoint-5', 'last.json')).toBe('old');
    cpSync(place, aside, { recursive: true });
    await store.saveCheckpoint(5, files('new'));
    await (await FolderStore.open(output())).checkpoints();
    expect([text('checkpoint-5', 'last.json'), names()]).toEqual(['new', ['checkpoint-5']]);
  });

  it('removes the logs that are its own', async () => {
    const store = await FolderStore.open(output());
    await store.removeLogs(/ours/);
    for (const name of ['ours.1', 'theirs']) {
      await store.writeLog(name, textFile('x')[0]!);
    }
    await store.removeLogs(/^ours/);
    expect(names(join(output(), 'logs'))).toEqual(['theirs']);
  });

  it('is rid of what an interrupted write left, when it is opened', async () => {
    mkdirSync(join(output(), '.checkpoint-5.partial'), { recursive: true });
    mkdirSync(join(output(), 'logs'));
    writeFileSync(join(output(), '.checkpoint-5.partial/weights.bin'), 'half');
    writeFileSync(join(output(), 'logs/.events.partial'), 'half');
    writeFileSync(join(output(), '.gitignore'), 'mine');
    const store = await FolderStore.open(output());
    expect(await store.checkpoints()).toEqual([]);
    expect(names()).toEqual(['.gitignore', 'logs']);
    expect(names(join(output(), 'logs'))).toEqual([]);
  });
});

describe('a full disk', () => {
  it.each([0, 1])('leaves no half checkpoint when it ends at file %i', async (room) => {
    const before = await FolderStore.open(output());
    await before.saveCheckpoint(1, files('sound'));
    const store = await FolderStore.open(output(), fullAfter(room));
    const message = await messageOf(() => store.saveCheckpoint(2, files('lost')));
    expect(message).toMatch(
      /^.*checkpoint-2: the disk is full: \d+ bytes were to be written and .* are free; make room there or choose another --output, then start again\.$/,
    );
    expect(names()).toEqual(['checkpoint-1']);
    expect(text('checkpoint-1', 'last.json')).toBe('sound');
  });

  it.each([0, 1])('leaves no half result when it ends at file %i', async (room) => {
    const before = await FolderStore.open(output());
    await before.saveResult(files('sound'), 'last.json');
    const store = await FolderStore.open(output(), fullAfter(room));
    expect(await messageOf(() => store.saveResult(files('lost'), 'last.json'))).toContain('the disk is full');
    expect(names()).toEqual(['weights.bin']);
    expect(text('weights.bin')).toBe('first sound second sound');
  });

  it('keeps the log that was there', async () => {
    await (await FolderStore.open(output())).writeLog('events', textFile('sound')[0]!);
    const store = await FolderStore.open(output(), fullAfter(0));
    expect(await messageOf(() => store.writeLog('events', textFile('lost')[0]!))).toContain(
      'events: the disk',
    );
    expect(names(join(output(), 'logs'))).toEqual(['events']);
    expect(text('logs', 'events')).toBe('sound');
  });

  it('is not made of a bug', async () => {
    const store = await FolderStore.open(output(), () => Promise.reject(new TypeError('a bug')));
    await expect(store.saveCheckpoint(1, files('x'))).rejects.toThrow(TypeError);
  });
});

describe('an output that cannot be one', () => {
  it('is a file, or lies under one', async () => {
    writeFileSync(join(work, 'file'), '');
    expect(await messageOf(() => FolderStore.open(join(work, 'file')))).toBe(
      `${join(work, 'file')}: expected a folder for the output, found a file; choose another --output.`,
    );
    const under = join(work, 'file/out');
    expect(await messageOf(() => FolderStore.open(under))).toBe(
      `${under}: expected a folder for the output, found a file on the way, ${join(work, 'file')}; choose another --output.`,
    );
  });

  it('is the source, under any of its names, lies in it or holds it', async () => {
    const source = join(work, 'models/v1');
    mkdirSync(join(source, 'sub'), { recursive: true });
    symlinkSync(source, join(work, 'link'));
    const refused = (path: string) =>
      messageOf(() => checkApart(path, [{ what: 'the source model', path: source }]));
    for (const same of [source, `${source}/`, join(work, 'link'), `${work}/models/../models/v1`]) {
      expect(await refused(same)).toBe(
        `${same}: the output is also the source model, which is never written to; choose another --output.`,
      );
    }
    for (const inside of [join(source, 'new/out'), join(work, 'link/sub'), join(work, 'link/new')]) {
      expect(await refused(inside)).toContain(`the output lies inside the source model, ${source}, which`);
    }
    expect(await refused(join(work, 'models'))).toContain(
      `the output holds the source model, ${source}, which`,
    );
    symlinkSync(join(source, 'new'), join(work, 'dangling'));
    expect(await refused(join(work, 'dangling'))).toContain('the output lies inside the source model');
    for (const apart of [`${source}2`, join(work, 'models/v2'), join(work, 'new')]) {
      await checkApart(apart, [{ what: 'the source model', path: source }]);
    }
  });
});

describe('a process that is killed', () => {
  /** Saves checkpoints 1, 2 and 2 again, then a result, of three files each; dies at a file. */
  const run = (deadline: number) =>
    new Promise<string | undefined>((resolve) => {
      execFile(process.execPath, ['tests/support/save-and-die.mjs', output(), String(deadline)], (error) =>
        resolve(error?.signal ?? undefined),
      );
    });
  const WHOLE = 140_000;

  /** The mark in a folder's three files; throws if they are incomplete or of different saves. */
  function markOf(folder: string): number {
    const marks = names(folder).map((name) => {
      const bytes = readFileSync(join(folder, name));
      expect([name, bytes.length]).toEqual([name, WHOLE]);
      expect(bytes.every((byte) => byte === bytes[0])).toBe(true);
      return bytes[0]!;
    });
    expect(marks).toHaveLength(3);
    expect(new Set(marks).size).toBe(1);
    return marks[0]!;
  }

  it.each([
    { deadline: 1, steps: [] as number[], marks: [] as number[] },
    { deadline: 5, steps: [1], marks: [1] },
    { deadline: 7, steps: [1, 2], marks: [1, 32] },
    { deadline: 11, steps: [1, 2], marks: [1, 62] },
  ])('at file $deadline leaves only whole checkpoints', async ({ deadline, steps, marks }) => {
    expect(await run(deadline)).toBe('SIGKILL');
    expect(names().filter((name) => name.endsWith('.partial')).length).toBeGreaterThan(0);
    const store = await FolderStore.open(output());
    expect(await store.checkpoints()).toEqual(steps);
    expect(steps.map((step) => markOf(store.checkpointName(step)))).toEqual(marks);
    expect(names()).toEqual(steps.map((step) => `checkpoint-${step}`));
  });

  it('never leaves the last file of a result without the others', async () => {
    expect(await run(10)).toBe('SIGKILL');
    expect(names().filter((name) => !/checkpoint|partial/.test(name))).toEqual([]);
    expect(await run(99)).toBeUndefined();
    expect(names().filter((name) => !name.startsWith('checkpoint'))).toEqual(['a.bin', 'b.bin', 'last.json']);
  });
});
