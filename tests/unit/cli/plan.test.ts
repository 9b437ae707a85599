import { expect, it } from 'vitest';
import type { MemoryKind } from '../../../src/gpu/memory.ts';
import { retuneHere } from '../../support/cli-here.ts';

const plan = (...args: string[]) =>
  retuneHere(['plan', '--base', 'tests/fixtures/cases/chat_messages/base', '--seq', '64', ...args]);

interface Planned {
  precision: string;
  keep: string;
  bytes: Record<MemoryKind, number>;
}

it('tells the memory of a precision: above f32, gate and up are saved in 16 bits', async () => {
  const planned = async (precision: string): Promise<Planned> => {
    const { code, stdout } = await plan('--memory', '1GB', '--json', '--precision', precision);
    expect(code).toBe(0);
    return JSON.parse(stdout) as Planned;
  };
  const [unsaid, exact, halves, matrix] = [
    await planned('auto'),
    await planned('f32'),
    await planned('f16'),
    await planned('matrix'),
  ];
  expect(unsaid).toEqual(exact);
  expect(matrix).toEqual({ ...halves, precision: 'matrix' });
  expect(halves.keep).toBe(exact.keep);
  expect(exact.keep).toMatch(/^3+$/);
  const { 'kept activations': kept, ...others } = exact.bytes;
  const { 'kept activations': less, ...same } = halves.bytes;
  expect(same).toEqual(others);
  expect(less).toBeLessThan(kept);
});

it('says that its figures are those of f32, and what another precision takes, unless one was chosen', async () => {
  const said = async (...args: string[]) => (await plan(...args)).stdout;
  const sentence = 'precision f16 or matrix saves the outputs of gate and up in 16 bits';
  const matrices = 'on a GPU with subgroup matrices';
  const free = await said();
  expect(free).toMatch(new RegExp(`this is in f32; ${sentence}: up to [\\d.,]+ MiB`));
  expect(free).toContain(matrices);
  expect(await said('--memory', '1GB')).toContain(`, in f32; ${sentence}`);
  for (const precision of ['f32', 'f16', 'matrix']) {
    const one = await said('--precision', precision);
    expect(one).not.toContain(sentence);
    expect(one.includes(matrices)).toBe(precision === 'matrix');
  }
});
