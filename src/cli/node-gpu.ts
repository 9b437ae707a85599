import { UserError } from '../formats/user-error.ts';
import { type Gpu, type LimitTier, openDevice } from '../gpu/device.ts';
import { pausePolls } from './dawn-polls.ts';
import type { SoftwareFallback } from './software-device.ts';
import { findSoftwareVulkan } from './software-vulkan.ts';
import { hasVulkanDriver } from './vulkan-drivers.ts';
import { provideVulkanLoader } from './vulkan-loader.ts';

/**
 * allow_unsafe_apis: subgroup matrices are experimental. timestamp_quantization: by default, Dawn rounds timestamps
 * to 65,536 ns, longer than many dispatches. Of several lists with one name, Dawn uses the last.
 */
const flags = (...without: string[]): string[] => [
  'enable-dawn-features=allow_unsafe_apis',
  `disable-dawn-features=${['timestamp_quantization', ...without].join(',')}`,
];

const FLAGS = flags();

/**
 * With this extension zeroing workgroup memory, SwiftShader takes 15 times as long to compile a kernel; a loop does
 * the same.
 */
const SOFTWARE_FLAGS = flags('use_vulkan_zero_initialize_workgroup_memory_extension');

/** Dawn's instances must stay referenced: collecting one destroys its devices. */
const instances: GPU[] = [];

async function adapterOf(dawnFlags: string[], software: boolean): Promise<GPUAdapter | null> {
  if (process.platform === 'linux') {
    if (!hasVulkanDriver()) {
      return null;
    }
    provideVulkanLoader();
  }
  // Loaded late: only commands that compute need Dawn.
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  const instance = create(dawnFlags) as GPU;
  instances.push(instance);
  const adapter = await instance.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null);
  return adapter && (software || !adapter.info.isFallbackAdapter) ? adapter : null;
}

/**
 * Opens the hardware GPU through Dawn or, if there is none, a software device as `software` says.
 * RETUNE_SOFTWARE_GPU=1 selects the software device. Throws UserError if there is neither.
 */
export async function openNodeGpu(
  tier: LimitTier = 'adapter',
  software: SoftwareFallback = { allowed: true },
): Promise<Gpu> {
  let adapter = process.env.RETUNE_SOFTWARE_GPU === '1' ? null : await adapterOf(FLAGS, false);
  if (!adapter && !software.allowed) {
    throw new UserError(
      `No GPU: Dawn found no ${DEVICES} device; install the GPU's driver, or add --software to compute on the CPU, correctly but very slowly.`,
    );
  }
  if (!adapter) {
    adapter = await softwareAdapter();
    // Whoever names a driver has chosen it.
    if (!adapter && software.bring && process.env.VK_DRIVER_FILES === undefined) {
      await software.bring();
      adapter = await softwareAdapter();
    }
    pausePolls();
  }
  if (!adapter) {
    throw new UserError(
      `No GPU: Dawn found neither a ${DEVICES} device nor a software device; install a GPU driver, or Chrome or Chromium, or name the browser in CHROME_PATH.`,
    );
  }
  return openDevice(adapter, tier);
}

/** What Dawn computes with on this system. */
const DEVICES = { darwin: 'Metal', win32: 'Direct3D 12 or Vulkan' }[process.platform as string] ?? 'Vulkan';

async function softwareAdapter(): Promise<GPUAdapter | null> {
  const icd = process.env.VK_DRIVER_FILES ? undefined : findSoftwareVulkan();
  if (icd) {
    process.env.VK_DRIVER_FILES = icd;
  }
  return adapterOf(SOFTWARE_FLAGS, true);
}
