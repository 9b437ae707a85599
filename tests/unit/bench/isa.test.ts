import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { parseAco } from '../../bench/isa/aco.ts';
import { parseAgx } from '../../bench/isa/agx.ts';
import { dumpsIn } from '../../bench/isa/dumps.ts';
import { main } from '../../bench/isa/isa.ts';
import { hottestLoop, type Kind } from '../../bench/isa/listing.ts';
import { NAK_STAGE, parseNak } from '../../bench/isa/nak.ts';
import { document } from '../../bench/isa/table.ts';

// One kernel, compiled for an RX 7900 XTX and an Ada: each round of its loop loads a number, stores it in workgroup
// memory and adds sixteen products.
const lines = (name: string) => readFileSync(`tests/fixtures/isa/${name}.txt`, 'utf8').split('\n');

describe('what ACO prints', () => {
  it('gives registers, spills, occupancy, cycles and the mix of the loop', () => {
    expect(parseAco(lines('aco'))).toEqual({
      registers: 36,
      spills: 0,
      occupancy: 32,
      instructions: 114,
      cycles: 238,
      loop: {
        ...{ fma: 16, matrix: 0, vector: 4, lds: 9, global: 1, spill: 0, barrier: 0, wait: 8, scalar: 15 },
      },
    });
  });

  /** The kinds of a loop of these lines, long enough to be looked at. */
  const loopOf = (...body: string[]) => {
    const matrix = '	v_wmma_f32_16x16x16_f16 v[0:7], v[8:15], v[16:23], v[0:7] ; cc404000 1c035188';
    const back = '	s_cbranch_scc0 BB1                                          ; bfa1ffbe';
    return parseAco(['BB1:', matrix, ...body, back]).loop!;
  };

  it('counts both multiply-adds of a line, and nothing that goes along with one', () => {
    const two = '	v_dual_fmac_f32 v1, v2, v3 :: v_dual_fmac_f32 v4, v5, v6          ; ca100080 05040080';
    const along = '	v_dual_mov_b32 v5, 0 :: v_dual_fmac_f32 v4, v5, v6                ; ca100080 05040080';
    const none = '	v_dual_mov_b32 v5, 0 :: v_dual_mov_b32 v4, 0                ; ca100080 05040080';
    expect(loopOf(two, along, none)).toMatchObject({ fma: 3, matrix: 1, vector: 1 });
  });

  it('tells spills from loads and barriers from other scalar instructions', () => {
    const body = [
      '	scratch_load_b32 v1, off, off                               ; dc500000 01010000',
      '	buffer_load_b128 v[136:139], v129, s[16:19], 0 offen        ; e05c0000 80448881',
      '	s_barrier                                                   ; bfbd0000',
      '	s_add_u32 s5, s5, 1                                         ; 80058105',
    ];
    expect(loopOf(...body)).toMatchObject({ spill: 1, global: 1, barrier: 1, scalar: 2 });
  });
});

describe('what NAK prints', () => {
  it('is read from the last stage: its loop by what leads to blocks, uniform registers apart', () => {
    expect(parseNak(lines('nak'))).toEqual({
      registers: 24,
      spills: 0,
      occupancy: 48,
      instructions: 143,
      cycles: 3732,
      loop: {
        ...{ fma: 16, matrix: 0, vector: 8, lds: 5, global: 2, spill: 0, barrier: 2, wait: 9, scalar: 29 },
      },
      // Eight rounds, and what stands before and behind them.
      path: {
        ...{ cycles: 1756, multiplies: 8 * 16, fma: 8 * 16, matrix: 0, vector: 94, lds: 41, global: 17 },
        ...{ spill: 0, barrier: 17, wait: 78, scalar: 257 },
      },
    });
  });

  it('without a listing is figures only', () => {
    expect(parseNak(['Num GPRs: 24', 'Spills to mem: 3'])).toMatchObject({
      ...{ registers: 24, spills: 3, loop: undefined },
    });
  });
});

it('what AGX prints gives 32-bit registers, spills and invocations', () => {
  expect(parseAgx(lines('agx'))).toEqual({
    ...{ registers: 128, spills: 22, occupancy: 384, instructions: 4704, cycles: 2785, loop: undefined },
  });
  expect(parseAgx([])).toMatchObject({ registers: undefined, spills: undefined });
});

it('the hottest loop is the one with most multiply-adds for its length, if it has sixteen', () => {
  const of = (kind: Kind, count: number) => Array.from({ length: count }, () => [kind]);
  const kinds = [...of('vector', 20), ...of('fma', 20), ...of('fma', 15)];
  expect(hottestLoop(kinds, [[0, 54]])).toMatchObject({ fma: 35, vector: 20 });
  expect(
    hottestLoop(kinds, [
      [0, 54],
      [20, 39],
    ]),
  ).toMatchObject({ fma: 20, vector: 0 });
  expect(hottestLoop(kinds, [[40, 54]])).toBeUndefined();
  expect(hottestLoop(kinds, [])).toBeUndefined();
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
  const none = { fma: 0, matrix: 0, vector: 0, lds: 0, global: 0, spill: 0, barrier: 0, wait: 0, scalar: 0 };
  const facts = { registers: 96, spills: 0, occupancy: 16, instructions: 1200, cycles: 5000 };
  const text = document({
    'amd:navi31': {
      ...{ date: '2026-11-30', mesa: '26.2.6-1', failed: ['peer: x does not compile: why\nnot'] },
      kernels: [
        { label: 'peer: dense', ...facts, loop: { ...none, matrix: 16, vector: 16 } },
        {
          label: 'nf4_matmul_matrix',
          ...facts,
          spills: 3,
          loop: { ...none, matrix: 8, vector: 200, fma: 8 },
        },
        { label: 'nf4_matmul, f32', ...facts, loop: { ...none, fma: 90, vector: 10, lds: 9 } },
        { label: 'swiglu', ...facts, loop: undefined },
      ],
    },
  });

  it('has vector instructions a matrix instruction, shares of multiply-adds and spills, peers last', () => {
    expect(text).toContain('| nf4_matmul_matrix | 26 (3 spilled) |\n| peer: dense | 1.0 |');
    expect(text).toContain('| nf4_matmul, f32 | 90%, 0.10 |');
    expect(text).toContain('| RX 7900 XTX (RDNA3) | 3 | nf4_matmul_matrix: 3 |');
    expect(text).toContain('| swiglu | 96 | 0 | 16 | 1,200 | 5,000 |  |');
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
