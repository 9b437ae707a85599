import { spawn } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';

/** Sends signals to a waiting process, each after so many milliseconds; returns what it said and its exit code. */
async function send(signals: [NodeJS.Signals, number][]): Promise<{ said: string[]; code: number | null }> {
  const child = spawn(process.execPath, ['tests/support/wait-for-signals.mjs']);
  let said = '';
  child.stdout.on('data', (text) => (said += text));
  const end = new Promise<number | null>((resolve) => child.on('exit', resolve));
  while (!said.includes('ready')) await wait(20);
  for (const [signal, delay] of signals) {
    await wait(delay);
    child.kill(signal);
  }
  const code = await Promise.race([end, wait(1000).then(() => null)]);
  child.kill('SIGKILL');
  return { said: said.trim().split('\n'), code };
}

describe('a signal', () => {
  it('aborts once, though npm passes it on a second time', async () => {
    const { said, code } = await send([
      ['SIGINT', 0],
      ['SIGINT', 20],
    ]);
    expect(said).toEqual(['ready, undefined', 'first', 'aborted, 130']);
    expect(code).toBeNull();
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('ends the program at once the second time: %s', async (signal, expected) => {
    const { said, code } = await send([
      [signal, 0],
      [signal, 700],
    ]);
    expect(said).toEqual(['ready, undefined', 'first', `aborted, ${expected}`, 'second']);
    expect(code).toBe(expected);
  });
});
