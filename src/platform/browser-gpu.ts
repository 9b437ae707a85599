import { UserError } from '../formats/user-error.ts';
import { type Gpu, openDevice } from '../gpu/device.ts';

/** The message if the browser provides no adapter at all. */
export const NO_ADAPTER =
  'Chrome found no GPU that it may use; update the graphics driver and look at chrome://gpu for the reason.';

/** Throws UserError if the browser has no WebGPU. */
export function checkWebGpu(): void {
  if (!('gpu' in navigator)) {
    throw new UserError('This browser has no WebGPU; use Chrome 121 or newer on a PC with a discrete GPU.');
  }
}

/**
 * Opens the browser's GPU; undefined if it provides none just now, as after a crash of its GPU process. Throws
 * UserError if the GPU's limits are too low.
 */
export async function requestGpu(): Promise<Gpu | undefined> {
  checkWebGpu();
  try {
    const adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
    return adapter ? await openDevice(adapter) : undefined;
  } catch (error) {
    if (error instanceof UserError) {
      throw error;
    }
    return undefined;
  }
}

/** Whether the browser runs with --enable-unsafe-webgpu: only then it offers experimental features, on every GPU. */
export async function unsafeWebGpu(): Promise<boolean> {
  const gpu = (navigator as { gpu?: GPU }).gpu;
  const adapter = await gpu?.requestAdapter({ powerPreference: 'high-performance' });
  return [...(adapter?.features ?? [])].some((name) => name.startsWith('chromium-experimental-'));
}
