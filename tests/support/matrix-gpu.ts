import type { Gpu } from '../../src/gpu/device.ts';
import { openNullGpu } from '../../src/gpu/null-device.ts';

/** A device that computes nothing, but offers all that any variant of any precision needs. */
export const openMatrixGpu = (): Gpu =>
  openNullGpu({
    ...openNullGpu(),
    matrix: { dialect: 'order', shapes: [{ M: 16, N: 16, K: 16 }], subgroupSize: 32, sized: true },
    device: {
      features: new Set(['shader-f16', 'subgroups']),
      limits: {
        maxBufferSize: 2 ** 31,
        maxStorageBufferBindingSize: 2 ** 30,
        maxStorageBuffersPerShaderStage: 10,
        maxComputeWorkgroupStorageSize: 65536,
        maxComputeInvocationsPerWorkgroup: 1024,
      },
    } as unknown as GPUDevice,
  });
