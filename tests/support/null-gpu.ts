import { type Gpu, openDevice } from '../../src/gpu/device.ts';
import { globals, nullWebGpu } from './null-webgpu.mjs';

/** A device that computes next to nothing: for what a run does with files and events around its kernels. */
export async function nullGpu(): Promise<Gpu> {
  Object.assign(globalThis, globals);
  return openDevice((await nullWebGpu().requestAdapter()) as unknown as GPUAdapter, 'floor');
}
