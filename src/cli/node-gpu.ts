import { UserError } from '../formats/user-error.ts';
import { wrongInF16 } from '../gpu/autotune/trials.ts';
import { describe, type Gpu, isSoftware, type LimitTier, openDevice } from '../gpu/device.ts';
import type { GpuKind } from '../run/expected-time.ts';
import { pausePolls } from './dawn-polls.ts';
import type { SoftwareFallback } from './software-device.ts';
import { findSoftwareVulkan } from './software-vulkan.ts';
import { hasVulkanDriver } from './vulkan-drivers.ts';
import { provideVulkanLoader } from './vulkan-loader.ts';

/**
 * allow_unsafe_apis: subgroup matrices are experimental. timestamp_quantization: by default, Dawn rounds timestamps
 * to 65,536 ns, longer than many dispatches. Of several lists with one name, Dawn uses the last.
 */
const flags = ({
  enabled = [],
  disabled = [],
}: { enabled?: string[]; disabled?: string[] } = {}): string[] => [
  `enable-dawn-features=${['allow_unsafe_apis', ...enabled].join(',')}`,
  `disable-dawn-features=${['timestamp_quantization', ...disabled].join(',')}`,
];

const FLAGS = flags();

/**
 * Dawn hides f16 from NVIDIA's Vulkan drivers, for conformance tests that some fail (https://crbug.com/42251215). Our
 * own kernels tell whether it can be used.
 */
const F16_FLAGS = flags({ enabled: ['vulkan_enable_f16_on_nvidia'] });

/**
 * With this extension zeroing workgroup memory, SwiftShader takes 15 times as long to compile a kernel; a loop does
 * the same.
 */
const SOFTWARE_FLAGS = flags({ disabled: ['use_vulkan_zero_initialize_workgroup_memory_extension'] });

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
  const hardware = process.env.RETUNE_SOFTWARE_GPU === '1' ? null : await openTrusted(adapterOf, tier);
  if (hardware) {
    return hardware;
  }
  if (!software.allowed) {
    throw new UserError(
      `No GPU: Dawn found no ${DEVICES} device; install the GPU's driver, or add --software to compute on the CPU, correctly but very slowly.`,
    );
  }
  let adapter = await softwareAdapter();
  // Whoever names a driver has chosen it.
  if (!adapter && software.bring && process.env.VK_DRIVER_FILES === undefined) {
    await software.bring();
    adapter = await softwareAdapter();
  }
  pausePolls();
  if (!adapter) {
    throw new UserError(
      `No GPU: Dawn found neither a ${DEVICES} device nor a software device; install a GPU driver, or Chrome or Chromium, or name the browser in CHROME_PATH.`,
    );
  }
  return openDevice(adapter, tier);
}

/** What the hardware GPU that a run would take is, without opening it; undefined without one. `find` can be given. */
export async function nodeGpuKind(find = adapterOf): Promise<GpuKind | undefined> {
  if (process.env.RETUNE_SOFTWARE_GPU === '1') {
    return undefined;
  }
  const adapter = await find(FLAGS, false).catch(() => null);
  if (!adapter) {
    return undefined;
  }
  const { vendor, architecture } = adapter.info;
  return { name: describe(adapter.info), software: isSoftware(adapter.info), vendor, architecture };
}

/**
 * The hardware GPU, if there is one. An NVIDIA GPU has f16 if its kernels in f16 agree with those in f32; otherwise it
 * is opened without. `find` and `wrong` can be given.
 */
export async function openTrusted(
  find: (flags: string[], software: boolean) => Promise<GPUAdapter | null>,
  tier: LimitTier,
  wrong = wrongInF16,
): Promise<Gpu | undefined> {
  const adapter = await find(F16_FLAGS, false);
  if (!adapter) {
    return undefined;
  }
  const gpu = await openDevice(adapter, tier);
  // Elsewhere the flag changes nothing: Dawn itself trusts the driver.
  const unproven = process.platform === 'linux' && adapter.info.vendor === 'nvidia';
  if (!unproven || !gpu.device.features.has('shader-f16')) {
    return gpu;
  }
  const found = await wrong(gpu).catch((error: unknown) => [String(error)]);
  if (found.length === 0) {
    return gpu;
  }
  gpu.close();
  const plain = await find(FLAGS, false);
  return plain ? openDevice(plain, tier) : undefined;
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
