import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Handling } from '../../../src/cli/interrupt.ts';

const folder = mkdtempSync(join(tmpdir(), 'retune-signals-'));
const SCRIPT = join(folder, 'wait-for-signals.mjs');
beforeAll(async () => {
  const ssr = 'tests/support/wait-for-signals.ts';
  await build({
    configFile: false,
    publicDir: false,
    logLevel: 'error',
    build: { ssr, outDir: folder, rolldownOptions: { output: { entryFileNames: '[name].mjs' } } },
  });
});
afterAll(() => rmSync(folder, { recursive: true }));

/** As if npm had not started the tests. */
const env = { ...process.env };
delete env.npm_lifecycle_event;

interface Waiting {
  handling: Handling;
  /** Environment variables, as the script explains them. */
  more?: NodeJS.ProcessEnv;
  /** Runs the script through this shell command. */
  shell?: string;
}

/** A process that waits for signals, and its output. */
async function start({ handling, more = {}, shell }: Waiting) {
  const [file, args] = shell === undefined ? [process.execPath, [SCRIPT]] : ['sh', ['-c', shell]];
  const child = spawn(file, args, { env: { ...env, HANDLING: handling, ...more } });
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (text) => (said.stdout += text));
  child.stderr.on('data', (text) => (said.stderr += text));
  const closed = new Promise<number | string | null>((resolve) =>
    child.on('close', (code, signal) => resolve(code ?? signal)),
  );
  return { child, said, closed };
}

async function pidOf({ said }: Awaited<ReturnType<typeof start>>): Promise<number> {
  while (!/ready, \d+\n/.test(said.stdout)) {
    await wait(20);
  }
  return Number(/ready, (\d+)/.exec(said.stdout)![1]);
}

const STILL_THERE = 'still there';
/** Timeouts for a process that should end, and for one that should not: longer than any grace period. */
const [PATIENCE, SOON] = [20_000, 1500];

/** Sends signals, each after this many milliseconds; returns the process's output, and how it ended, if it did. */
async function send(waiting: Waiting, signals: [NodeJS.Signals, number][], patience = PATIENCE) {
  const process = await start(waiting);
  await pidOf(process);
  for (const [signal, delay] of signals) {
    await wait(delay);
    process.child.kill(signal);
  }
  const ended = await Promise.race([process.closed, wait(patience).then(() => STILL_THERE)]);
  process.child.kill('SIGKILL');
  return { ended, said: process.said.stdout.trim().split('\n').slice(1) };
}

describe('a signal', () => {
  it('aborts once where there is something to keep, though npm passes it on a second time', async () => {
    const signals: [NodeJS.Signals, number][] = [
      ['SIGINT', 0],
      ['SIGINT', 20],
    ];
    const twice = await send({ handling: 'keep' }, signals, SOON);
    expect(twice).toEqual({ ended: STILL_THERE, said: ['aborted, 130', 'keeping'] });
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('ends the program at once the second time: %s', async (signal, code) => {
    const { said, ended } = await send({ handling: 'keep' }, [
      [signal, 0],
      [signal, 700],
    ]);
    expect(said).toEqual([`aborted, ${code}`, 'keeping', 'ending']);
    expect(ended).toBe(code);
  });

  it('ends the program before long where there is nothing to keep', async () => {
    const once = await send({ handling: 'end' }, [['SIGTERM', 0]]);
    expect(once).toEqual({ ended: 143, said: ['aborted, 143', 'ending'] });
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'ends the program though JavaScript never has its turn: %s',
    async (signal) => {
      const busy = await send({ handling: 'system', more: { BUSY: '1' } }, [[signal, 100]]);
      expect(busy).toEqual({ ended: signal, said: [] });
    },
  );
});

describe("a process whose parent, npm's shell, dies", () => {
  const orphan = async (handling: Handling, more: NodeJS.ProcessEnv) => {
    const through = { ...more, npm_lifecycle_event: 'retune' };
    const shell = await start({ handling, more: through, shell: `"${process.execPath}" ${SCRIPT}; true` });
    const pid = await pidOf(shell);
    shell.child.kill('SIGTERM');
    return { ...shell, pid };
  };

  it('is stopped as by SIGTERM', async () => {
    const { said, pid } = await orphan('keep', {});
    while (!said.stdout.endsWith('aborted, 143\nkeeping\n')) {
      await wait(20);
    }
    process.kill(pid, 'SIGKILL');
  });

  it('ends though JavaScript never has its turn', async () => {
    const { said, pid, closed } = await orphan('system', { BUSY: '1' });
    await closed;
    expect(said.stdout).toBe(`ready, ${pid}\n`);
  });
});

describe('a stdout that takes no more', () => {
  // Linux has this device, which is always full.
  const FULL = existsSync('/dev/full');
  const EPIPE = 'stdout was closed by what reads it (EPIPE)';

  it.each([
    ['keep', `${EPIPE}. Kept.\n`],
    ['end', `${EPIPE}, so the command stopped; write it elsewhere.\n`],
    ['system', `${EPIPE}, so the command stopped; write it elsewhere.\n`],
  ] as const)('ends the program when it is closed: %s', async (handling, sentence) => {
    const talking = await start({ handling, more: { TALK: '1' } });
    await pidOf(talking);
    talking.child.stdout.destroy();
    expect([await talking.closed, talking.said.stderr]).toEqual([141, sentence]);
  });

  it.runIf(FULL)('ends the program when its disk is full', async () => {
    const shell = `"${process.execPath}" ${SCRIPT} > /dev/full`;
    const { closed, said } = await start({ handling: 'system', more: { TALK: '1' }, shell });
    expect([await closed, said.stderr]).toEqual([
      2,
      'stdout cannot be written, since its disk is full (ENOSPC), so the command stopped; write it elsewhere.\n',
    ]);
  });

  it.runIf(FULL)('ends the program as silently where stderr is as full', async () => {
    const shell = `"${process.execPath}" ${SCRIPT} > /dev/full 2>&1`;
    const { closed } = await start({ handling: 'system', more: { TALK: '1' }, shell });
    expect(await closed).toBe(2);
  });
});
