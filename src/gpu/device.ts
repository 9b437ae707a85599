import { UserError } from '../formats/user-error.ts';
import {
  MATRIX_FEATURE,
  subgroupMatrices,
  SIZE_FEATURE,
  type SubgroupMatrices,
} from './subgroup-matrices.ts';
import { Memory } from './memory.ts';

/** A device with its memory account; everything above works with this and never with `navigator.gpu`. */
export interface Gpu {
  readonly device: GPUDevice;
  readonly memory: Memory;
  /** Name for people: "NVIDIA GeForce RTX 4060", "SwiftShader". */
  readonly name: string;
  /** True where the adapter computes on the CPU: right, and slow. */
  readonly software: boolean;
  /** Its subgroup matrices, where it has some that the kernels can use. */
  readonly matrix: SubgroupMatrices | undefined;
  /** Resolves when the device is lost for a reason other than `close`. */
  readonly lost: Promise<GPUDeviceLostInfo>;
  /** Rejections of WebGPU's validation that no error scope caught, oldest first; empty in a sound program. */
  readonly errors: string[];
  /** Whether the device ever ran out of memory where no error scope was looking. */
  readonly outOfMemory: boolean;
  close(): void;
}

/** What every kernel is written for; a device that grants less is refused. */
const REQUIRED = {
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupStorageSize: 16384,
  maxComputeInvocationsPerWorkgroup: 256,
  maxStorageBufferBindingSize: 2 ** 27,
};

/** What kernels above the floor use where an adapter has it. */
const OPTIONAL_FEATURES = ['shader-f16', 'subgroups', 'timestamp-query', MATRIX_FEATURE, SIZE_FEATURE];
const OPTIONAL_LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
] as const;

/** Whether to ask for all that the adapter has of limits and features, or only for WebGPU's guaranteed floor. */
export type LimitTier = 'adapter' | 'floor';

/** Opens a device on the adapter with the limits the engine needs. Throws UserError where it grants too little. */
export async function openDevice(adapter: GPUAdapter, tier: LimitTier = 'adapter'): Promise<Gpu> {
  for (const [limit, needed] of Object.entries(REQUIRED)) {
    const granted = adapter.limits[limit as keyof typeof REQUIRED];
    if (granted < needed)
      throw new UserError(
        `GPU ${describe(adapter.info)}: ${limit} is ${granted}, Retune needs ${needed}; choose another GPU or update its driver.`,
      );
  }
  const all = tier === 'adapter';
  const device = await adapter.requestDevice({
    label: 'retune',
    requiredLimits: all
      ? Object.fromEntries(OPTIONAL_LIMITS.map((name) => [name, adapter.limits[name]]))
      : {},
    requiredFeatures: all
      ? (OPTIONAL_FEATURES.filter((name) => adapter.features.has(name)) as GPUFeatureName[])
      : [],
  });
  const memory = new Memory(device);
  const errors: string[] = [];
  let outOfMemory = false;
  device.addEventListener('uncapturederror', (event) => {
    event.preventDefault();
    outOfMemory ||= event.error instanceof GPUOutOfMemoryError;
    errors.push(event.error.message);
  });
  let closed = false;
  return {
    device,
    memory,
    name: describe(adapter.info),
    software:
      adapter.info.isFallbackAdapter ||
      /swiftshader|llvmpipe|lavapipe|softpipe/i.test(describe(adapter.info)),
    matrix: await subgroupMatrices(device, adapter.info),
    lost: device.lost.then((info) => (closed ? new Promise<never>(() => undefined) : info)),
    errors,
    get outOfMemory() {
      return outOfMemory;
    },
    close() {
      closed = true;
      device.destroy();
    },
  };
}

/** The adapter in words; browsers may hide parts of it. */
export function describe(info: GPUAdapterInfo): string {
  return (
    info.description ||
    info.device ||
    [info.vendor, info.architecture].filter(Boolean).join(' ') ||
    'unnamed GPU'
  );
}
