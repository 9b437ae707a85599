/** The shape of one matrix product, M × K by K × N. */
export interface MatrixShape {
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** What a device's subgroup matrices can do with f16 operands and f32 sums. */
export interface SubgroupMatrices {
  /** Whether WGSL gives the order of elements as a template parameter or, as older Chromes do, as a flag. */
  readonly dialect: 'order' | 'flag';
  readonly shapes: readonly MatrixShape[];
  /** Invocations of every subgroup that they are used in. */
  readonly subgroupSize: number;
  /** Whether kernels must ask for subgroups of that size, since the device has others too. */
  readonly sized: boolean;
}

export const MATRIX_FEATURE = 'chromium-experimental-subgroup-matrix';
export const SIZE_FEATURE = 'subgroup-size-control';

/** What AMD's subgroup matrices need and Intel's work with, where subgroups have several sizes (onnxruntime #32667, #32306). */
const COMMON_SIZE = 32;

/** What Chrome says of itself beyond @webgpu/types. */
interface MatrixInfo extends GPUAdapterInfo {
  subgroupMatrixConfigs?: Iterable<MatrixShape & { componentType: string; resultComponentType: string }>;
}

/** Matrix products of these shapes have kernels; others are passed over. */
const known = ({ M, N, K }: MatrixShape): boolean => [M, N, K].every((n) => n === 8 || n === 16);

/** Undefined where the device has none that the kernels can use. */
export async function subgroupMatrices(
  device: GPUDevice,
  // The device's own copy leaves the configurations out.
  info: GPUAdapterInfo,
): Promise<SubgroupMatrices | undefined> {
  if (![MATRIX_FEATURE, 'shader-f16', 'subgroups'].every((name) => device.features.has(name)))
    return undefined;
  const { subgroupMinSize, subgroupMaxSize, subgroupMatrixConfigs = [] } = info as MatrixInfo;
  const sized = subgroupMinSize !== subgroupMaxSize;
  const subgroupSize = sized ? COMMON_SIZE : subgroupMaxSize;
  const within = subgroupMinSize <= subgroupSize && subgroupSize <= subgroupMaxSize;
  if (sized && !(within && device.features.has(SIZE_FEATURE))) return undefined;
  const shapes = [...subgroupMatrixConfigs]
    .filter((c) => c.componentType === 'f16' && c.resultComponentType === 'f32' && known(c))
    .map(({ M, N, K }) => ({ M, N, K }));
  if (shapes.length === 0) return undefined;
  const dialect = (await compiles(device, 'row_major')) ? 'order' : 'flag';
  return { dialect, shapes, subgroupSize, sized };
}

/** Whether the compiler knows a name for the order of elements. */
async function compiles(device: GPUDevice, order: string): Promise<boolean> {
  device.pushErrorScope('validation');
  const code = `enable chromium_experimental_subgroup_matrix; enable f16; enable subgroups;
    alias Left = subgroup_matrix_left<f16, 8, 8>;
    var<workgroup> tile: array<f16, 64>;
    fn load() -> Left { return subgroupMatrixLoad<Left, ${order}>(&tile, 0u, 8u); }`;
  device.createShaderModule({ label: 'matrix dialect', code });
  return (await device.popErrorScope()) === null;
}
