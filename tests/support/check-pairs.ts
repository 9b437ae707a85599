import { expect } from 'vitest';
import type { PairReport } from './pairs.ts';

/** Calls without content, as OpenAI has them: these templates fail on them in Python, and are given '' here. */
const SILENT_CALLS = [31, 32, 39, 41, 44];

/**
 * What TRL's training templates train and a run here does not ("-"), all of it deliberate: what opens an answer is
 * given to the model when it is asked, and what follows an answer that has ended is not the assistant's.
 */
const DELIBERATE: Readonly<Record<string, string>> = {
  qwen2_5: '-"\\n"',
  qwen3: '-"<think>\\n"',
  deepseek_v3: '-"<｜Assistant｜>"',
  glm4_moe: '-"<|user|>"',
  gpt_oss: '-"<|start|>assistant"',
  phi3: '-"<|endoftext|>"',
  phi3_5: '-"<|endoftext|>"',
};

/** Fails where a pair's ids or masks differ from Python's but for what is deliberate. */
export function checkPair({ name, same, different, refused, both, oursOnly, masks }: PairReport): void {
  expect([name, different, refused]).toEqual([name, [], []]);
  expect(oursOnly.filter((row) => !SILENT_CALLS.includes(row))).toEqual([]);
  expect(same.length + both.length + oursOnly.length).toBe(60);
  expect(same.length).toBeGreaterThan(30);
  if (!masks) {
    return;
  }
  expect([name, masks.notFollowed]).toEqual([name, []]);
  expect(masks.followed).toBeGreaterThan(25);
  const deliberate = DELIBERATE[name];
  expect([name, [...masks.differences.keys()]]).toEqual([
    name,
    deliberate === undefined || masks.differences.size === 0 ? [] : [deliberate],
  ]);
}

/** A line of the table in docs/VERIFICATION.md. */
export function pairLine({
  name,
  same,
  skipped,
  different,
  refused,
  both,
  oursOnly,
  masks,
}: PairReport): string {
  const ids = [same, skipped, different, refused, both, oursOnly].map((rows) => rows.length);
  const told = [...(masks?.differences ?? [])].map(([what, rows]) => `${rows} rows: \`${what}\``).join('; ');
  const shown = masks
    ? [masks.compared, masks.same, masks.untold, told || 'none', masks.followed]
    : ['', '', '', '', ''];
  return `| ${[name, ...ids, ...shown].join(' | ')} |`;
}
