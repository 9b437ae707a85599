import { describe, expect, it } from 'vitest';
import { MATRIX_FEATURE, SIZE_FEATURE, subgroupMatrices } from '../../../src/gpu/subgroup-matrices.ts';

const FEATURES = [MATRIX_FEATURE, 'shader-f16', 'subgroups'];
const half = (M: number, N: number, K: number, resultComponentType = 'f32') => ({
  ...{ M, N, K, componentType: 'f16', resultComponentType },
});

/** Of a device whose compiler knows the newer dialect, or does not. */
function found(
  features: string[],
  [subgroupMinSize, subgroupMaxSize]: [number, number],
  subgroupMatrixConfigs = [half(16, 16, 16)],
  newer = true,
) {
  const device = {
    features: new Set(features),
    pushErrorScope: () => undefined,
    createShaderModule: () => ({}),
    popErrorScope: () => Promise.resolve(newer ? null : { message: 'unresolved row_major' }),
  } as unknown as GPUDevice;
  const info = { subgroupMinSize, subgroupMaxSize, subgroupMatrixConfigs } as unknown as GPUAdapterInfo;
  return subgroupMatrices(device, info);
}

describe('subgroup matrices', () => {
  it('are those with f16 operands and f32 sums, of sides that the kernels know', async () => {
    const configs = [half(16, 8, 16), half(16, 16, 16), half(16, 16, 16, 'f16'), half(8, 8, 64)];
    expect(await found(FEATURES, [32, 32], configs)).toEqual({
      dialect: 'order',
      shapes: [
        { M: 16, N: 8, K: 16 },
        { M: 16, N: 16, K: 16 },
      ],
      subgroupSize: 32,
      sized: false,
    });
    expect(await found(FEATURES, [32, 32], [half(16, 16, 16, 'f16')])).toBeUndefined();
  });

  it('are spoken to in the dialect of the compiler', async () => {
    expect(await found(FEATURES, [8, 8], [half(8, 8, 8)], false)).toMatchObject({
      dialect: 'flag',
      subgroupSize: 8,
    });
  });

  it.each(FEATURES)('need the feature %s', async (missing) => {
    expect(await found([...FEATURES.filter((name) => name !== missing)], [32, 32])).toBeUndefined();
  });

  it.each([
    [32, 64],
    [16, 32],
    [8, 32],
  ])('in subgroups of %i to %i are used with 32, where a size can be asked for', async (least, most) => {
    expect(await found([...FEATURES, SIZE_FEATURE], [least, most])).toMatchObject({
      subgroupSize: 32,
      sized: true,
    });
    expect(await found(FEATURES, [least, most])).toBeUndefined();
  });

  it('are passed over where subgroups of 32 are not among the sizes', async () => {
    expect(await found([...FEATURES, SIZE_FEATURE], [4, 16])).toBeUndefined();
  });
});
