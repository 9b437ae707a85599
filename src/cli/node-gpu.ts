import { UserError } from '../formats/user-error.ts';
import { openDevice, type Gpu, type LimitTier } from '../gpu/device.ts';
import { pausePolls } from './dawn-polls.ts';
import { findSwiftShader } from './software-vulkan.ts';
import { hasVulkanDriver } from './vulkan-drivers.ts';

/**
 * Subgroup matrices count as experimental. Unless told otherwise, Dawn rounds timestamps to 65,536 ns, more than many a
 * dispatch takes. Of several lists of one name it takes the last.
 */
const flags = (...without: string[]): string[] => [
  'enable-dawn-features=allow_unsafe_apis',
  `disable-dawn-features=${['timestamp_quantization', ...without].join(',')}`,
];

const FLAGS = flags();

/** SwiftShader takes 15 times as long to compile a kernel where this extension zeroes workgroup memory; a loop does the same. */
const SOFTWARE_FLAGS = flags('use_vulkan_zero_initialize_workgroup_memory_extension');

/** Dawn's instances live as long as somebody holds them: a collected one takes its devices along. */
const instances: GPU[] = [];

async function adapterOf(dawnFlags: string[], software: boolean): Promise<GPUAdapter | null> {
  if (process.platform === 'linux' && !hasVulkanDriver()) return null;
  // Loaded late: only commands that compute need Dawn.
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  const instance = create(dawnFlags) as GPU;
  instances.push(instance);
  const adapter = await instance.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null);
  return adapter && (software || !adapter.info.isFallbackAdapter) ? adapter : null;
}

/**
 * Opens the hardware GPU through Dawn, or, where there is none, the software Vulkan device beside the browser.
 * RETUNE_SOFTWARE_GPU=1 asks for the software device outright.
 */
export async function openNodeGpu(tier: LimitTier = 'adapter'): Promise<Gpu> {
  let adapter = process.env.RETUNE_SOFTWARE_GPU === '1' ? null : await adapterOf(FLAGS, false);
  if (!adapter) {
    const icd = process.env.VK_DRIVER_FILES ? undefined : findSwiftShader();
    if (icd) process.env.VK_DRIVER_FILES = icd;
    adapter = await adapterOf(SOFTWARE_FLAGS, true);
    pausePolls();
  }
  if (!adapter)
    throw new UserError(
      'No GPU: Dawn found neither a Vulkan, Metal or Direct3D 12 device nor the software device of Chrome; install a GPU driver, or Chromium (and libvulkan1 on Linux), or name the browser in CHROME_PATH.',
    );
  return openDevice(adapter, tier);
}
