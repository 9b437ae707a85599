import { beforeAll, describe, expect, it, vi } from 'vitest';
import { bench, BENCH_SECTIONS, type BenchCall } from '../../../src/bench/bench.ts';
import { countStep } from '../../../src/bench/counts.ts';
import { benchInputs } from '../../../src/bench/models.ts';
import type { Cell, Report } from '../../../src/bench/report.ts';
import { openNodeGpu } from '../../../src/cli/node-gpu.ts';
import type { Gpu } from '../../../src/gpu/device.ts';
import type * as Attentions from '../../../src/gpu/kernels/attention/index.ts';
import type * as Variants from '../../../src/gpu/kernels/linear/index.ts';
import { plainPass } from '../../../src/run/plan/dry-run.ts';
import { newExecutionPlanOf } from '../../../src/run/plan/execution-plan.ts';
import { memoryPlan, totalBytes } from '../../../src/run/plan/memory-plan.ts';
import { planInput, withMemory } from '../../../src/run/session.ts';

// Two variants of each kind stand for all: the software device compiles each for a second or more.
vi.mock('../../../src/gpu/kernels/attention/index.ts', async (original) => {
  const all = await original<typeof Attentions>();
  const ATTENTIONS = Object.fromEntries(
    all.ATTENTION_CLASSES.map((part) => [part, all.ATTENTIONS[part].slice(0, 2)]),
  );
  return { ...all, ATTENTIONS };
});
vi.mock('../../../src/gpu/kernels/linear/index.ts', async (original) => {
  const { NF4_FORWARD, NF4_GRAD } = await original<typeof Variants>();
  return { NF4_FORWARD: NF4_FORWARD.slice(0, 2), NF4_GRAD: NF4_GRAD.slice(0, 2) };
});

const MEMORY = 2 ** 30;

/** Options that measure the tiny model in one round, and what the callbacks received. */
function aCall(more: Partial<BenchCall> = {}) {
  const seen = { notes: [] as string[], sections: [] as string[], reports: [] as string[][] };
  const call: BenchCall = {
    openGpu: () => openNodeGpu(),
    models: ['tiny'],
    sections: BENCH_SECTIONS,
    rounds: 1,
    force: true,
    facts: { date: 'today' },
    onProgress: () => undefined,
    onSection: ({ name }) => seen.sections.push(name),
    onNote: (text) => seen.notes.push(text),
    onReport: ({ sections, notes }) => {
      seen.reports.push([...sections.map(({ name }) => name), ...notes]);
      return Promise.resolve();
    },
    ...more,
  };
  return { call, seen };
}

const STEPS = ['tiles', 'steps', 'kernels'];
/** Steps of single rows, then of sixteen. */
const EVERY = ['counts', 'answers', 'ceilings', 'products', 'attention', ...STEPS, ...STEPS, 'decoding'];

const section = ({ sections }: Report, name: string) => sections.find((s) => s.name === name)!;
/** The cells of a row by their columns. */
function row(report: Report, name: string, first: string): Record<string, Cell> {
  const { columns, rows } = section(report, name);
  return Object.fromEntries(rows.find(([cell]) => cell === first)!.map((cell, i) => [columns[i]!, cell]));
}

describe('the whole benchmark of the tiny model on the software device', () => {
  // With memory for everything, more is saved than by default.
  const { call, seen } = aCall({ memory: MEMORY });
  let report: Report;
  beforeAll(async () => {
    report = await bench(call);
  });

  it('yields rows in every section, each of as many cells as there are columns, with every speed above zero', () => {
    expect(report.sections.map(({ name }) => name)).toEqual(EVERY);
    expect(report.notes).toEqual([]);
    for (const { name, columns, rows } of report.sections) {
      expect(rows.length, name).toBeGreaterThan(0);
      for (const cells of rows) {
        expect(cells, name).toHaveLength(columns.length);
      }
    }
    for (const name of ['ceilings', 'products', 'attention']) {
      for (const cells of section(report, name).rows) {
        const [rate] = cells.filter((cell) => typeof cell === 'object');
        expect(rate!.speed).toBeGreaterThan(0);
      }
    }
    for (const { speed } of [
      row(report, 'steps', '1 row of 64')['tokens/s'],
      row(report, 'decoding', '1 at once')['prompt tokens/s'],
      row(report, 'decoding', '8 at once')['tokens/s'],
    ] as { speed: number }[]) {
      expect(speed).toBeGreaterThan(0);
    }
  });

  it('counts what the plan of a run does', async () => {
    const inputs = benchInputs('tiny', 64, 64);
    const gpu = await openNodeGpu();
    const plan = withMemory(newExecutionPlanOf(gpu, 64), gpu, inputs, MEMORY);
    const counts = await countStep(inputs, plan, [plainPass(64)], gpu);
    gpu.close();
    const step = row(report, 'steps', '1 row of 64');
    expect(step).toMatchObject({ tokens: 64, passes: 1, dispatches: counts.dispatches });
    expect(step['GFLOP/token']).toBeCloseTo(
      (counts.forward + counts.backward + counts.recompute) / 64 / 1e9,
      12,
    );
    expect(step['GPU MiB']).toBe(totalBytes(memoryPlan(planInput(inputs, plan))) / 2 ** 20);
    const kernels = section(report, 'kernels');
    expect(kernels.rows.map(([name, calls]) => [name, calls]).toSorted()).toEqual(
      [...counts.kernels].map(([name, { calls }]) => [name, calls]).toSorted(),
    );
    for (const name of ['tiles', 'steps', 'kernels']) {
      expect(section(report, name).notes).toContain(
        "Kept for the backward pass: 2 layers at level 3; the optimizer's state lies on the device.",
      );
    }
    expect(row(report, 'counts', '1 row of 64')).toMatchObject({ kept: '2 layers at level 3' });
  });

  it('tells of each table at once and hands over the report so far, with the facts', () => {
    expect(seen.sections).toEqual(EVERY);
    expect(seen.reports).toEqual(EVERY.map((_, i) => EVERY.slice(0, i + 1)));
    expect(report.facts).toMatchObject({ date: 'today', gpu: expect.any(String) });
  });
});

it('what cannot be measured becomes a note, and the rest is measured', async () => {
  const { call, seen } = aCall({ memory: 1000, sections: ['counts', 'steps'] });
  const report = await bench(call);
  expect(report.sections.map(({ name }) => name)).toEqual(['ceilings']);
  const refused = /^Memory: 0 MiB are allowed, and this run needs at least \d+ MiB/;
  const [counts, single, sixteen] = seen.notes;
  expect(seen.notes).toHaveLength(3);
  expect(counts!.replace('counts of tiny: ', '')).toMatch(refused);
  expect(single!.replace('tiny, f32, a row of 64 tokens: ', '')).toMatch(refused);
  expect(sixteen!.replace('tiny, f32, steps of 16 rows: ', '')).toMatch(refused);
  expect(report.notes).toEqual(seen.notes);
  expect(seen.reports).toEqual([
    [counts],
    ['ceilings', counts],
    ['ceilings', counts, single],
    ['ceilings', counts, single, sixteen],
  ]);
});

it('a lost device ends the benchmark with one sentence, after its partial report was delivered', async () => {
  let last: Gpu;
  const { call, seen } = aCall({
    sections: ['ceilings', 'steps', 'decoding'],
    openGpu: async () => (last = await openNodeGpu()),
    onProgress: (text) => {
      if (text.startsWith('compiling kernels')) {
        last.device.destroy();
      }
    },
  });
  await expect(bench(call)).rejects.toThrow(
    /: the device was lost \(.+\), and the benchmark ends here; close/,
  );
  expect(seen.reports.at(-1)!.slice(0, 2)).toEqual(['ceilings', 'tiles']);
  expect(seen.reports.at(-1)).toHaveLength(3);
});
