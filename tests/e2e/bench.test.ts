import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { retune } from '../support/cli.ts';
import { Scene } from '../support/scene.ts';

interface Written {
  facts: Record<string, unknown>;
  counts_only: boolean;
  notes: string[];
  sections: { name: string; rows: Record<string, unknown>[] }[];
}

it('a benchmark that cannot measure one thing writes the others, with the note, the command and the versions', async () => {
  const scene = new Scene('prequant');
  const [json, plot] = [scene.path('bench.json'), scene.path('bench.svg')];
  const call = ['bench', '--model', 'tiny', '--section', 'counts', 'steps', '--rounds', '1'];
  const { code, stdout, stderr } = await retune([
    ...[...call, '--memory', '1 MB', '--precision', 'auto', 'f32'],
    ...['--json', json, '--plot', plot],
  ]);
  expect([code, stderr]).toEqual([0, '']);
  const { facts, counts_only, notes, sections } = JSON.parse(readFileSync(json, 'utf8')) as Written;
  // The precision that `auto` resolves to is measured once.
  expect(notes).toEqual([
    expect.stringMatching(/^counts of tiny: Memory: 1 MiB are allowed, and this run needs at least/),
    expect.stringMatching(/^tiny, f32, a row of 64 tokens: Memory: 1 MiB are allowed/),
    expect.stringMatching(/^tiny, f32, steps of 16 rows: Memory: 1 MiB are allowed/),
  ]);
  for (const note of notes) {
    expect(stdout).toContain(`\nNote: ${note}\n`);
  }
  expect(sections.map(({ name }) => name)).toEqual(['ceilings']);
  expect([counts_only, sections[0]!.rows[0]!['rate']]).toEqual([true, null]);
  expect(facts).toMatchObject({
    date: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    command: expect.stringContaining('retune bench --model tiny'),
    node: process.version,
    dawn: expect.stringMatching(/^webgpu \d+\.\d+/),
    gpu: expect.any(String),
  });
  expect(stdout).toContain(`os: ${facts['os'] as string}\n`);
  expect(readFileSync(plot, 'utf8')).toContain('</svg>');
});
