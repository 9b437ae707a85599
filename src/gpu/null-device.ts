import type { Gpu } from './device.ts';
import { Memory } from './memory.ts';

/** WebGPU's guaranteed limits, as far as the engine checks them. */
const FLOOR = {
  maxBufferSize: 2 ** 28,
  maxStorageBufferBindingSize: 2 ** 27,
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupStorageSize: 16384,
};

const nothing = () => undefined;
const done = () => Promise.resolve();

/** Every result is 1: a finite gradient, a loss of 1. */
function buffer({ size }: GPUBufferDescriptor) {
  const getMappedRange = (offset = 0, bytes = size - offset) =>
    new Float32Array(Math.ceil(bytes / 4)).fill(1).buffer;
  return { size, destroy: nothing, mapAsync: done, getMappedRange, unmap: nothing };
}

const pass = {
  setPipeline: nothing,
  setBindGroup: nothing,
  dispatchWorkgroups: nothing,
  end: nothing,
};

const encoder = {
  beginComputePass: () => pass,
  copyBufferToBuffer: nothing,
  clearBuffer: nothing,
  finish: () => ({}),
};

/**
 * A device that computes nothing and takes no memory but accounts like a real one. Running on it shows which
 * kernels a run calls, what it allocates and how much work there is. `like`: the device whose limits and features
 * it claims; by default WebGPU's guaranteed ones.
 */
export function openNullGpu(like?: Gpu): Gpu {
  const device = {
    limits: like?.device.limits ?? FLOOR,
    features: like?.device.features ?? new Set<string>(),
    adapterInfo: like?.device.adapterInfo ?? {},
    queue: { writeBuffer: nothing, submit: nothing, onSubmittedWorkDone: done },
    createBuffer: buffer,
    createBindGroupLayout: () => ({}),
    createPipelineLayout: () => ({}),
    createShaderModule: () => ({}),
    createComputePipeline: () => ({}),
    createComputePipelineAsync: () => Promise.resolve({}),
    createBindGroup: () => ({}),
    createCommandEncoder: () => encoder,
    pushErrorScope: nothing,
    popErrorScope: () => Promise.resolve(null),
  } as unknown as GPUDevice;
  return {
    ...like,
    device,
    memory: new Memory(device),
    name: like?.name ?? 'no device',
    software: like?.software ?? false,
    matrix: like?.matrix,
    lost: new Promise<never>(nothing),
    errors: [],
    outOfMemory: false,
    close: nothing,
  };
}
