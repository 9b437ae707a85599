import { afterAll, beforeAll, expect, it } from 'vitest';
import { FORMATS } from './formats/index.ts';
import { openInputs } from './inputs.ts';
import type { Verdict } from './judge.ts';
import { Pool } from './pool.ts';
import { reproduce } from './reproduce.ts';

/*
 * Every input is read and judged: accepted (and then read back the same), refused in one proper sentence, or a
 * failure, as is anything that takes over two seconds. RETUNE_FUZZ=recipe/mutants/123 reads only that input,
 * reports the verdict, and writes it to a folder.
 */

const long = import.meta.env.MODE === 'long';
const NAMES = FORMATS.map(({ name }) => name);
const CUT = FORMATS.filter(({ cut }) => cut?.length !== 0).map(({ name }) => name);
const MUTANTS = long ? 20_000 : 100;
/** Of so many chunks of cuts only the first is judged. */
const EVERY = long ? 1 : 8;
const one = process.env.RETUNE_FUZZ;

let pool: Pool;
beforeAll(() => {
  pool = new Pool(2);
});
afterAll(() => pool.close());

if (one !== undefined) {
  it('is read alone', () => reproduce(one));
}

it.each(NAMES)('mutants: %s', async (name) => {
  const { counts, failures } = await judgeAll(`${name}/mutants`, MUTANTS);
  expect(failures).toEqual([]);
  // A fuzzer whose inputs are all valid, or all invalid, tests nothing.
  expect(counts.accepted, 'accepted').toBeGreaterThan(0.01 * MUTANTS);
  expect(counts.refused, 'refused').toBeGreaterThan(0.01 * MUTANTS);
});

it.each(NAMES.filter((name) => CUT.includes(name)))('cuts: %s', async (name) => {
  const { length } = await openInputs(`${name}/cuts`);
  const { counts, failures } = await judgeAll(`${name}/cuts`, length, EVERY);
  expect(failures).toEqual([]);
  expect(counts.refused, 'refused').toBeGreaterThan(counts.accepted);
});

/** Judges the first inputs of a list, of each `every` chunks only one; the failures are lines that say how to reproduce them. */
async function judgeAll(inputs: string, count: number, every = 1) {
  const counts = { accepted: 0, refused: 0, failed: 0 };
  const failures: string[] = [];
  let slowest = 0;
  const onVerdict = (at: number, { outcome, detail, ms }: Verdict) => {
    counts[outcome]++;
    slowest = Math.max(slowest, ms);
    if (outcome === 'failed' && failures.length < 50) {
      failures.push(`RETUNE_FUZZ=${inputs}/${at}: ${detail}`);
    }
  };
  await pool.judge(inputs, 0, count, onVerdict, every);
  console.log(`${inputs}: ${JSON.stringify(counts)}, the slowest in ${Math.round(slowest)} ms`);
  return { counts, failures };
}
