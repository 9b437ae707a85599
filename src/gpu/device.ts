import { UserError } from '../formats/user-error.ts';
import { Memory } from './memory.ts';
import {
  MATRIX_FEATURE,
  SIZE_FEATURE,
  type SubgroupMatrices,
  subgroupMatrices,
} from './subgroup-matrices.ts';

/** A device with its memory account. Everything above uses this, never `navigator.gpu`. */
export interface Gpu {
  readonly device: GPUDevice;
  readonly memory: Memory;
  /** Display name: "NVIDIA GeForce RTX 4060", "SwiftShader". */
  readonly name: string;
  /** True if the adapter computes on the CPU: correct but very slow. */
  readonly software: boolean;
  /** Its subgroup matrices, if it has any that the kernels can use. */
  readonly matrix: SubgroupMatrices | undefined;
  /** Resolves when the device is lost for a reason other than `close`. */
  readonly lost: Promise<GPUDeviceLostInfo>;
  /** WebGPU validation errors that no error scope caught, oldest first; empty in a correct program. */
  readonly errors: string[];
  /** Whether the device ran out of memory outside any error scope. */
  readonly outOfMemory: boolean;
  close(): void;
}

/** Limits that every kernel relies on; a device that offers less is refused. */
const REQUIRED = {
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupStorageSize: 16384,
  maxComputeInvocationsPerWorkgroup: 256,
  maxStorageBufferBindingSize: 2 ** 27,
};

/** What some variants use in addition, if the adapter has it. */
const OPTIONAL_FEATURES = ['shader-f16', 'subgroups', 'timestamp-query', MATRIX_FEATURE, SIZE_FEATURE];
const OPTIONAL_LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
] as const;

/** Whether to request all limits and features of the adapter, or only WebGPU's guaranteed minimum. */
export type LimitTier = 'adapter' | 'floor';

/** Opens a device with the limits that the engine needs. Throws UserError if the adapter offers less. */
export async function openDevice(adapter: GPUAdapter, tier: LimitTier = 'adapter'): Promise<Gpu> {
  for (const [limit, needed] of Object.entries(REQUIRED)) {
    const granted = adapter.limits[limit as keyof typeof REQUIRED];
    if (granted < needed) {
      throw new UserError(
        `GPU ${describe(adapter.info)}: ${limit} is ${granted}, Retune needs ${needed}; choose another GPU or update its driver.`,
      );
    }
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
    software: isSoftware(adapter.info),
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

/** Whether an adapter computes on the CPU. */
export const isSoftware = (info: GPUAdapterInfo): boolean =>
  info.isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|softpipe/i.test(describe(info));

/** A display name for the adapter; browsers may hide parts of it. */
export function describe(info: GPUAdapterInfo): string {
  return (
    info.description ||
    info.device ||
    [info.vendor, info.architecture].filter(Boolean).join(' ') ||
    'unnamed GPU'
  );
}
