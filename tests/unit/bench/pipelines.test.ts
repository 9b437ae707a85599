import { beforeAll, describe, expect, it, vi } from 'vitest';
import { globals } from 'webgpu';
import { modelPipelines, type Pipeline } from '../../../src/bench/pipelines.ts';
import { ATTENTIONS } from '../../../src/gpu/kernels/attention/index.ts';
import { NF4_FORWARD, NF4_GRAD } from '../../../src/gpu/kernels/linear/index.ts';
import { LM_HEADS } from '../../../src/gpu/kernels/lm-head/index.ts';
import { openNullGpu } from '../../../src/gpu/null-device.ts';
import { openMatrixGpu } from '../../support/matrix-gpu.ts';

Object.assign(globalThis, globals);

const able = openMatrixGpu();

/** Of each variant in autotuning's lists that fits heads of 128: what computes with it. */
const VARIANTS = [
  ...Object.entries({ forward: NF4_FORWARD, gradient: NF4_GRAD }).flatMap(([what, variants]) =>
    variants.map((variant) => ({ what, variant, calls: [vi.spyOn(variant, 'dispatch')] })),
  ),
  ...LM_HEADS.map((variant) => ({
    ...{ what: 'head', variant },
    calls: [vi.spyOn(variant, 'forward'), vi.spyOn(variant, 'backward')],
  })),
  ...Object.entries(ATTENTIONS).flatMap(([what, variants]) =>
    variants
      // 'matrix' is for plans of earlier versions.
      .filter(({ name, fits }) => name !== 'matrix' && fits({ heads: 12, kvHeads: 2, headDim: 128 }))
      .map((variant) => ({ what, variant, calls: [vi.spyOn(variant, 'dispatch')] })),
  ),
];

describe('the pipelines of Qwen2.5-1.5B', () => {
  let pipelines: Pipeline[];
  let labels: string[];
  beforeAll(async () => {
    pipelines = await modelPipelines(able, '1.5b');
    labels = pipelines.map(({ label }) => label);
  });

  it.each(VARIANTS)('include those of $what by $variant.name', ({ variant, calls }) => {
    expect(variant.supported(able)).toBe(true);
    for (const call of calls) {
      expect(call).toHaveBeenCalled();
    }
  });

  it('include both reductions of norms', () => {
    expect(labels).toEqual(expect.arrayContaining(['rmsnorm by workgroup', 'rmsnorm by subgroups']));
  });

  it('are named by operation and variant, each once', () => {
    expect(labels).toEqual(
      expect.arrayContaining([
        'nf4_matmul, f32 64x128x16, NESTED=1 STORED=0',
        'nf4_matmul_grad_f16, f16 64x128, NESTED=1 STORED=0',
        'nf4_matmul_matrix 16x16x16 4x2, NESTED=1 STORED=0',
        'attention_backward_kv_packed 16x16x16, heads of 128',
        'head_matmul_grad_matrix 16x16x16 4x2, FORMAT=0',
        'head_matvec, FORMAT=0 ROWS=5',
      ]),
    );
    expect(new Set(labels).size).toBe(labels.length);
    // A tile's constants are told by its name.
    expect(labels.filter((label) => /THREADS|QUADS|HALF_SUMS/.test(label))).toEqual([]);
  });

  it('leave out attention on matrices that spills registers', () => {
    expect(labels.filter((label) => /^attention(_backward_kv|_backward_q)?_matrix /.test(label))).toEqual([]);
  });

  it('are those of the precisions that the device offers', async () => {
    const plain = (await modelPipelines(openNullGpu(), 'tiny')).map(({ label }) => label);
    expect(plain.length).toBeGreaterThan(50);
    expect(plain.filter((label) => /f16|matrix|subgroups/.test(label))).toEqual([]);
  });
});
