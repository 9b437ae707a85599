import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { parseAco } from '../../bench/isa/aco.ts';
import { parseAgx } from '../../bench/isa/agx.ts';
import { dumpsIn } from '../../bench/isa/dumps.ts';
import { main } from '../../bench/isa/isa.ts';
import { markRows } from '../../bench/isa/marks.ts';
import { NAK_STAGE, parseNak } from '../../bench/isa/nak.ts';
import { document } from '../../bench/isa/table.ts';

// One kernel, compiled for an RX 7900 XTX and an Ada: each round of its loop loads a number, stores it in workgroup
// memory and adds sixteen products.
const lines = (name: string) => readFileSync(`tests/fixtures/isa/${name}.txt`, 'utf8').split('\n');

describe('what ACO prints', () => {
  it('gives registers, spills, occupancy, cycles, and what is done once and in each round of the loop', () => {
    const round = {
      ...{ cycles: 417, multiplies: 16, fma: 16, matrix: 0, vector: 4, lds: 9, global: 1 },
      ...{ spill: 0, barrier: 0, wait: 8, scalar: 13 },
    };
    expect(parseAco(lines('aco'))).toEqual({
      ...{ registers: 36, spills: 0, occupancy: 32, instructions: 112, cycles: 238 },
      way: {
        once: {
          ...{ cycles: 474, multiplies: 0, fma: 0, matrix: 0, vector: 39, lds: 1, global: 1 },
          ...{ spill: 0, barrier: 0, wait: 10, scalar: 10 },
        },
        ...{ round, loop: round, chunk: round },
      },
    });
  });

  /** The kinds of a loop of these lines and one product of matrices. */
  const loopOf = (...body: string[]) => {
    const text = ['BB0', '/* logical preds: BB0, / linear preds: BB0, / kind: loop-header, */'];
    const matrix = '\t( 12 clk)   v[0-7] = v_wmma_f32_16x16x16_f16 v[8-15], v[16-23], v[0-7]';
    return parseAco([...text, matrix, ...body.map((line) => `\t(  1 clk)   ${line}`)]).way!.loop!;
  };

  it('counts both multiply-adds of a line, and nothing that goes along with one', () => {
    const two = 'v1 = v_dual_fmac_f32 v2, v3, v1 :: v4 = v_dual_fmac_f32 v5, v6, v4';
    const along = 'v5 = v_dual_mov_b32 0 :: v4 = v_dual_fmac_f32 v5, v6, v4';
    const none = 'v5 = v_dual_mov_b32 0 :: v4 = v_dual_mov_b32 0';
    expect(loopOf(two, along, none)).toMatchObject({ fma: 3, matrix: 1, vector: 1 });
  });

  it('tells spills from loads and barriers from other scalar instructions', () => {
    const body = [
      'v1 = scratch_load_dword off, off storage:scratch',
      'v[136-139] = buffer_load_dwordx4 s[16-19], v129, 0 offen storage:buffer',
      's_barrier',
      's5, scc = s_add_u32 s5, 1',
    ];
    expect(loopOf(...body)).toMatchObject({ spill: 1, global: 1, barrier: 1, scalar: 1 });
  });
});

describe('what NAK prints', () => {
  it('is read from the last stage: its loop by what leads to blocks, uniform registers apart', () => {
    const round = {
      ...{ cycles: 200, multiplies: 16, fma: 16, matrix: 0, vector: 8, lds: 5, global: 2 },
      ...{ spill: 0, barrier: 2, wait: 8, scalar: 29 },
    };
    expect(parseNak(lines('nak'))).toMatchObject({
      ...{ registers: 24, spills: 0, occupancy: 48, instructions: 143, cycles: 3732 },
      way: { once: { cycles: 157, multiplies: 0, vector: 30, scalar: 25 }, round, loop: round, chunk: round },
    });
  });

  // Excerpts of nf4_matmul_matrix and nf4_matmul_grad_f16 for an Ada: of each block a few lines. The way back of the loop
  // over the depth, and that of a loop at an edge of the tile, stand behind what follows the loops.
  it('finds a loop whose way back is laid behind what follows it', () => {
    const { once, round, loop } = parseNak(lines('nak-matrix')).way!;
    // m16n8k16 twice; the side without a loop is taken, and nothing counts that stands behind the loop.
    expect(round).toMatchObject({ matrix: 2, multiplies: 2 * 64, vector: 6, barrier: 2, cycles: 83 });
    expect(loop).toEqual(round);
    expect(once).toMatchObject({ matrix: 0, multiplies: 0, vector: 4, cycles: 9 });
  });

  it('finds the loop that multiplies in such a loop, and counts it four times a round', () => {
    const { once, round } = parseNak(lines('nak-f16')).way!;
    expect(round).toMatchObject({ fma: 4 * 2, multiplies: 8, vector: 13, barrier: 2, cycles: 111 });
    expect(once).toMatchObject({ fma: 0, vector: 2 });
  });

  it('without a listing is figures only', () => {
    expect(parseNak(['Num GPRs: 24', 'Spills to mem: 3'])).toMatchObject({
      ...{ registers: 24, spills: 3, way: undefined },
    });
  });
});

it('what AGX prints gives 32-bit registers, spills and invocations', () => {
  expect(parseAgx(lines('agx'))).toEqual({
    ...{ registers: 128, spills: 22, occupancy: 384, instructions: 4704, cycles: 2785 },
  });
  expect(parseAgx([])).toMatchObject({ registers: undefined, spills: undefined });
});

it('dumps are told apart by their announcements; earlier stages and what stands between are left out', async () => {
  const text =
    'warning\n@@@ a, f32\nNAK IR:\n1\nNAK IR after b:\n2\n@@@end\nbetween\n@@@ c\n3\n@@@end\n@@@ cut off\n4';
  const other: string[] = [];
  const dumps = [];
  for await (const dump of dumpsIn(Readable.from([text]), NAK_STAGE, other)) {
    dumps.push(dump);
  }
  expect(dumps).toEqual([
    { label: 'a, f32', lines: ['NAK IR after b:', '2'] },
    { label: 'c', lines: ['3'] },
  ]);
  expect(other).toEqual(['warning', 'between']);
});

describe('the document', () => {
  const none = {
    ...{ fma: 0, matrix: 0, vector: 0, lds: 0, global: 0, spill: 0, barrier: 0, wait: 0, scalar: 0 },
    ...{ cycles: 0, multiplies: 0 },
  };
  const way = (some: Partial<typeof none>) => {
    const loop = { ...none, ...some };
    return { once: none, round: none, loop, chunk: loop };
  };
  const facts = { registers: 96, spills: 0, occupancy: 16, instructions: 1200, cycles: 5000 };
  const text = document({
    'amd:navi31': {
      ...{ date: '2026-11-30', mesa: '26.2.6-1', failed: ['peer: x does not compile: why\nnot'] },
      kernels: [
        { label: 'peer: dense', ...facts, way: way({ matrix: 16, vector: 16 }) },
        { label: 'nf4_matmul_matrix', ...facts, spills: 3, way: way({ matrix: 8, vector: 200, fma: 8 }) },
        { label: 'nf4_matmul, f32', ...facts, way: way({ fma: 90, vector: 10, lds: 9 }) },
        { label: 'swiglu', ...facts },
      ],
    },
  });

  it('has vector instructions a matrix instruction, shares of multiply-adds and spills, peers last', () => {
    expect(text).toContain('| nf4_matmul_matrix | 26 (3 spilled) |\n| peer: dense | 1.0 |');
    expect(text).toContain('| nf4_matmul, f32 | 90%, 0.10 |');
    expect(text).toContain('| RX 7900 XTX (RDNA3) | 3 | nf4_matmul_matrix: 3 |');
    expect(text).toContain('| swiglu | 96 | 0 | 16 | 1,200 | 5,000 |  |');
  });

  it('has the marks: what is spilled, the worst form on matrices, the best tile in f32', () => {
    const kernels = [
      { label: 'nf4_matmul_packed 2x2, A=0', ...facts, way: way({ matrix: 16, vector: 8 }) },
      { label: 'nf4_matmul_packed 2x2, A=1', ...facts, spills: 2, way: way({ matrix: 16, vector: 20 }) },
      { label: 'nf4_matmul, f32 a', ...facts, way: way({ fma: 90, vector: 10, lds: 9 }) },
      { label: 'nf4_matmul, f32 b', ...facts, way: way({ fma: 95, vector: 5, lds: 19 }) },
    ];
    const rows = markRows([kernels, []]);
    expect(rows[0]).toEqual(['registers spilled, all pipelines', '2', '0']);
    expect(rows.find(([mark]) => mark!.includes('products forward, packed'))!.slice(1)).toEqual(['1.3', '']);
    expect(rows.find(([mark]) => mark!.includes('products forward, the best'))!.slice(1)).toEqual([
      ...['95%, 0.20', ''],
    ]);
  });

  it('names the GPUs without figures, and what did not compile', () => {
    expect(text).toMatch(/Not measured this time: .*Ada \(`nv:0x197`\)/);
    expect(text).toContain('- Without figures: peer: x does not compile: why not');
  });
});

it.each([
  [['--target', 'amd:voodoo'], '--target amd:voodoo: expected one of amd:navi21,'],
  [['--model', '70b'], '--model 70b: expected one of tiny,'],
  [['--only', '('], '--only (: not a regular expression'],
  [['--frames'], "Unknown option '--frames'"],
])('refuses %j in a sentence', async (args, sentence) => {
  const said: string[] = [];
  expect(await main(args, (text) => said.push(text))).toBe(2);
  expect(said.join('\n')).toContain(sentence);
});
