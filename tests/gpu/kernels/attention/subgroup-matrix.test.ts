import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openNodeGpu } from '../../../../src/cli/node-gpu.ts';
import { PACKED_ATTENTION } from '../../../../src/gpu/kernels/attention/packed.ts';
import {
  packedAttention,
  packedAttentionTexts,
} from '../../../../src/gpu/kernels/attention/packed-kernels.ts';
import {
  ATTENTION_TEXTS,
  attentionGrid,
  attentionKernel,
  headDimText,
} from '../../../../src/gpu/kernels/attention/subgroup-matrix.ts';
import { matrixText } from '../../../../src/gpu/kernels/shared/subgroup-matrix-kernels.ts';
import { testOnMatrices } from '../../../support/attention-matrix.ts';
import { TestGpu } from '../../../support/gpu.ts';

// The form that packs nothing ahead, which only stored plans name, stands in tests/long/attention-matrix.test.ts.
testOnMatrices('packed operands');

describe('attention on matrices', () => {
  let t: TestGpu;
  beforeAll(async () => void (t = new TestGpu(await openNodeGpu())));
  afterAll(() => t.close());

  it('fits heads of 64 and 128 only', () => {
    const room = { subgroupSize: 32, bytes: 32768, invocations: 256, halfBytes: 2 };
    const shapes = [
      { M: 16, N: 16, K: 16 },
      { M: 16, N: 8, K: 16 },
      { M: 8, N: 16, K: 16 },
      { M: 8, N: 8, K: 8 },
    ];
    for (const name of Object.keys(ATTENTION_TEXTS) as (keyof typeof ATTENTION_TEXTS)[]) {
      for (const shape of shapes) {
        expect(attentionGrid(name, 64, shape, room), name).toBeDefined();
        expect(attentionGrid(name, 128, shape, room), name).toBeDefined();
        expect(attentionGrid(name, 96, shape, room), name).toBeUndefined();
        expect(attentionGrid(name, 128, shape, { ...room, bytes: 16384 }), name).toBeUndefined();
      }
    }
  });

  // SwiftShader has no subgroup matrices; llvmpipe has.
  it('compiles for the subgroup matrices of a device that has some, in both dialects', async ({ skip }) => {
    const { matrix } = t.gpu;
    if (!matrix || !PACKED_ATTENTION.supported(t.gpu)) {
      return skip('the device has no subgroup matrices');
    }
    const name = 'forward';
    const { maxComputeWorkgroupStorageSize: bytes } = t.gpu.device.limits;
    const room = { subgroupSize: matrix.subgroupSize, bytes, invocations: 256, halfBytes: 2 };
    for (const shape of matrix.shapes) {
      const grid = attentionGrid(name, 64, shape, room)!;
      const units = { ...matrix, dialect: 'flag' as const };
      const code = matrixText(shape, grid, units, headDimText(64) + ATTENTION_TEXTS[name].code);
      await attentionKernel('compiled', code).compile(t.gpu);
      const { forward } = packedAttention(shape, 64, packedAttentionTexts(shape, 64, units));
      await forward.compile(t.gpu);
    }
    expect(t.gpu.errors).toEqual([]);
  });
});
