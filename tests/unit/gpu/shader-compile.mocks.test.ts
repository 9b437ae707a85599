import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { create, globals } from 'webgpu';
import type * as KernelModule from '../../../src/gpu/kernel.ts';
import type { KernelSpec, ParamSpec } from '../../../src/gpu/kernel.ts';

/** Every kernel that any module makes. */
const made = vi.hoisted(() => [] as KernelSpec<ParamSpec>[]);
vi.mock('../../../src/gpu/kernel.ts', async (original) => {
  const module = await original<typeof KernelModule>();
  class Kernel<P extends ParamSpec> extends module.Kernel<P> {
    constructor(spec: KernelSpec<P>) {
      super(spec);
      made.push(spec);
    }
  }
  return { ...module, Kernel };
});

/** A device that computes nothing, with all features: it has the compiler of Chrome. */
let device: GPUDevice;
const instance = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
beforeAll(async () => {
  Object.assign(globalThis, globals);
  const adapter = (await instance.requestAdapter())!;
  const requiredFeatures = [...adapter.features] as GPUFeatureName[];
  device = await adapter.requestDevice({ requiredFeatures });
});
afterAll(() => device.destroy());

/** What the compiler says of each kernel's text. */
async function faults(): Promise<string[]> {
  const all: string[] = [];
  for (const { name, code } of made.splice(0)) {
    device.pushErrorScope('validation');
    device.createShaderModule({ label: name, code });
    const error = await device.popErrorScope();
    if (error) {
      all.push(`${name}: ${error.message}`);
    }
  }
  return all;
}

it('compiles every shader that does not depend on the device, those in f16 too', async () => {
  const modules = import.meta.glob(['/src/gpu/**/*.ts', '/src/bench/*ceiling*.ts']);
  for (const load of Object.values(modules)) {
    await load();
  }
  expect(made.length).toBeGreaterThan(35);
  expect(await faults()).toEqual([]);
});

it.each([
  { M: 8, N: 8, K: 8 },
  { M: 16, N: 8, K: 16 },
  { M: 16, N: 16, K: 16 },
])('compiles the shaders on subgroup matrices of $M x $N x $K', async (shape) => {
  const { ATTENTION_TEXTS, attentionGrid, headDimText } =
    await import('../../../src/gpu/kernels/attention/subgroup-matrix.ts');
  const { packedAttention, packedAttentionTexts } =
    await import('../../../src/gpu/kernels/attention/packed-kernels.ts');
  const { HEAD_TEXTS } = await import('../../../src/gpu/kernels/lm-head/subgroup-matrix.ts');
  const { HALF_TEXTS } = await import('../../../src/gpu/kernels/linear/nf4-f16.ts');
  const { packedKernels, packedTexts } = await import('../../../src/gpu/kernels/linear/packed-operands.ts');
  const { GRIDS, matrixText } = await import('../../../src/gpu/kernels/shared/subgroup-matrix-kernels.ts');
  const bench = (await import('../../../shaders/bench/bench_matrix.wgsl')).default;
  const { matrixForward, matrixGrad } = HALF_TEXTS;
  const products = { matrixForward, matrixGrad, ...HEAD_TEXTS, bench };
  for (const sized of [false, true]) {
    const matrices = { dialect: 'order', subgroupSize: 32, sized, shapes: [shape] } as const;
    for (const grid of GRIDS) {
      for (const [name, text] of Object.entries(products)) {
        made.push({ name, code: matrixText(shape, grid, matrices, text), buffers: [], params: {} });
      }
    }
    packedKernels(shape, packedTexts(shape, matrices));
    for (const headDim of [64, 128]) {
      packedAttention(shape, headDim, packedAttentionTexts(shape, headDim, matrices));
      for (const name of Object.keys(ATTENTION_TEXTS) as (keyof typeof ATTENTION_TEXTS)[]) {
        const limits = { subgroupSize: 32, bytes: 2 ** 16, invocations: 1024, halfBytes: 2 };
        const grid = attentionGrid(name, headDim, shape, limits)!;
        const text = headDimText(headDim) + ATTENTION_TEXTS[name].code;
        made.push({ name, code: matrixText(shape, grid, matrices, text, 'halves'), buffers: [], params: {} });
      }
    }
  }
  expect(await faults()).toEqual([]);
});
