import { withErrorScopes } from './error-scopes.ts';

/** Shape of a matrix product: M × K by K × N. */
export interface MatrixShape {
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** A device's subgroup matrices with f16 operands and f32 sums. */
export interface SubgroupMatrices {
  /** Whether WGSL takes the element order as a template parameter or, in older Chromes, as a flag. */
  readonly dialect: 'order' | 'flag';
  readonly shapes: readonly MatrixShape[];
  /** Invocations per subgroup in kernels that use them. */
  readonly subgroupSize: number;
  /** Whether kernels must request that subgroup size, because the device has others too. */
  readonly sized: boolean;
}

export const MATRIX_FEATURE = 'chromium-experimental-subgroup-matrix';
export const SIZE_FEATURE = 'subgroup-size-control';

/**
 * Required by AMD's subgroup matrices and supported by Intel's, whose subgroups have several sizes
 * (https://github.com/microsoft/onnxruntime/pull/32667 and /32306).
 */
const COMMON_SIZE = 32;

/** Chrome's fields beyond @webgpu/types. */
interface MatrixInfo extends GPUAdapterInfo {
  subgroupMatrixConfigs?: Iterable<MatrixShape & { componentType: string; resultComponentType: string }>;
}

/** Shapes for which there are kernels; others are ignored. */
const supported = ({ M, N, K }: MatrixShape): boolean => [M, N, K].every((n) => n === 8 || n === 16);

/** Undefined if the device has none that the kernels can use. */
export async function subgroupMatrices(
  device: GPUDevice,
  // The device's own `adapterInfo` lacks the configurations.
  info: GPUAdapterInfo,
): Promise<SubgroupMatrices | undefined> {
  if (![MATRIX_FEATURE, 'shader-f16', 'subgroups'].every((name) => device.features.has(name))) {
    return undefined;
  }
  const { subgroupMinSize, subgroupMaxSize, subgroupMatrixConfigs = [] } = info as MatrixInfo;
  const sized = subgroupMinSize !== subgroupMaxSize;
  const subgroupSize = sized ? COMMON_SIZE : subgroupMaxSize;
  const within = subgroupMinSize <= subgroupSize && subgroupSize <= subgroupMaxSize;
  if (sized && !(within && device.features.has(SIZE_FEATURE))) {
    return undefined;
  }
  const shapes = [...subgroupMatrixConfigs]
    .filter((c) => c.componentType === 'f16' && c.resultComponentType === 'f32' && supported(c))
    .map(({ M, N, K }) => ({ M, N, K }));
  if (shapes.length === 0) {
    return undefined;
  }
  const dialect = (await compiles(device, 'row_major')) ? 'order' : 'flag';
  return { dialect, shapes, subgroupSize, sized };
}

/** Whether the WGSL compiler accepts this name for the element order. */
async function compiles(device: GPUDevice, order: string): Promise<boolean> {
  const code = `enable chromium_experimental_subgroup_matrix; enable f16; enable subgroups;
    alias Left = subgroup_matrix_left<f16, 8, 8>;
    var<workgroup> tile: array<f16, 64>;
    fn load() -> Left { return subgroupMatrixLoad<Left, ${order}>(&tile, 0u, 8u); }`;
  const refused = await withErrorScopes(device, ['validation'], () =>
    device.createShaderModule({ label: 'matrix dialect', code }),
  );
  return refused.errors[0] === null;
}
