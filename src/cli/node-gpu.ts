import { UserError } from '../formats/user-error.ts';
import { type Gpu, type LimitTier, openDevice } from '../gpu/device.ts';
import { pausePolls } from './dawn-polls.ts';
import { findSwiftShader } from './software-vulkan.ts';
import { hasVulkanDriver } from './vulkan-drivers.ts';

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
  if (process.platform === 'linux' && !hasVulkanDriver()) {
    return null;
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
 * Opens the hardware GPU through Dawn or, if there is none, the software Vulkan device that comes with the browser.
 * RETUNE_SOFTWARE_GPU=1 selects the software device. Throws UserError if there is neither.
 */
export async function openNodeGpu(tier: LimitTier = 'adapter'): Promise<Gpu> {
  let adapter = process.env.RETUNE_SOFTWARE_GPU === '1' ? null : await adapterOf(FLAGS, false);
  if (!adapter) {
    const icd = process.env.VK_DRIVER_FILES ? undefined : findSwiftShader();
    if (icd) {
      process.env.VK_DRIVER_FILES = icd;
    }
    adapter = await adapterOf(SOFTWARE_FLAGS, true);
    pausePolls();
  }
  if (!adapter) {
    throw new UserError(
      'No GPU: Dawn found neither a Vulkan, Metal or Direct3D 12 device nor the software device of Chrome; install a GPU driver, or Chromium (and libvulkan1 on Linux), or name the browser in CHROME_PATH.',
    );
  }
  return openDevice(adapter, tier);
}
