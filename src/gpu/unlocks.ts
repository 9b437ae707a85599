import { MATRIX_FEATURE, SIZE_FEATURE } from './subgroup-matrices.ts';

/** Where WebGPU comes from: Chrome and its kin, or Dawn in Node. */
export type Door = 'browser' | 'node';
export type System = 'linux' | 'windows' | 'macos';

/** A WebGPU feature that training profits from and that some systems hide; 'webgpu' is an adapter at all. */
export type Locked = 'webgpu' | 'shader-f16' | 'subgroups' | typeof SIZE_FEATURE | typeof MATRIX_FEATURE;

/** Who hides a feature, how to get it, and what for. */
export interface Unlock {
  readonly feature: Locked;
  readonly door: Door;
  /** Systems on which it is hidden; undefined: all. */
  readonly systems?: readonly System[];
  /** GPU makers whose GPUs it is hidden from, as `GPUAdapterInfo.vendor` names them; undefined: all. */
  readonly vendors?: readonly string[];
  /** First version of Chrome that needs no flag. */
  readonly chrome?: number;
  /** What else to do, a command to be given to a user: "update the graphics driver". */
  readonly how?: string;
  /** Switches for the browser's command line, or Dawn's toggle; undefined where none helps. */
  readonly flags?: readonly string[];
  /** A flag that Chrome calls unsafe: for a window of its own, not for the web at large. */
  readonly unsafe: boolean;
  readonly gain: string;
  /** Where the vendor says so. */
  readonly source: string;
}

/** Without a GPU nothing can be trained in a page. */
const ANY_GPU = 'training on the GPU at all';
/** By the bytes that operands take; the rate of f16 is f32's on GeForce and RDNA3. */
const F16_GAIN =
  'precision f16: operands take half the bytes in a tile; and subgroup matrices, which need it';
/**
 * Published dense rates, f16 operands and f32 sums against f32: RTX 4060 30 to 15 TFLOP/s, H200 989 to 67. RDNA3 and
 * RDNA4 by Mesa's compiler (docs/BENCHMARKS.md, Decoded once a pass).
 */
const MATRIX_GAIN =
  'precision matrix: by published rates 2 times f32 on GeForce, 15 times on an H200, and on Radeon 2 to 4 times by the compiler; not measured';

const STATUS = 'https://github.com/gpuweb/gpuweb/wiki/Implementation-Status';

/** As of Chrome 156 and the package webgpu 0.6.2. Order: what must be there first stands first. */
export const UNLOCKS: readonly Unlock[] = [
  {
    ...{ feature: 'webgpu', door: 'browser', systems: ['linux'], vendors: ['nvidia'], unsafe: true },
    chrome: 147,
    how: 'update the NVIDIA driver to 535.183 or newer',
    flags: ['--enable-unsafe-webgpu', '--use-angle=vulkan', '--enable-features=Vulkan,VulkanFromANGLE'],
    gain: ANY_GPU,
    source: STATUS,
  },
  {
    ...{ feature: 'webgpu', door: 'browser', systems: ['linux'], vendors: ['intel'], unsafe: true },
    chrome: 144,
    // Intel's GPUs before Xe (Gen 12) always need the flags.
    how: 'update Mesa',
    flags: ['--enable-unsafe-webgpu', '--use-angle=vulkan', '--enable-features=Vulkan,VulkanFromANGLE'],
    gain: ANY_GPU,
    source: STATUS,
  },
  {
    ...{ feature: 'webgpu', door: 'browser', systems: ['linux'], vendors: ['amd'], unsafe: true },
    flags: [
      '--enable-unsafe-webgpu',
      '--ozone-platform=x11',
      '--use-angle=vulkan',
      '--enable-features=Vulkan,VulkanFromANGLE',
    ],
    gain: ANY_GPU,
    source: STATUS,
  },
  {
    ...{ feature: 'shader-f16', door: 'browser', systems: ['linux'], vendors: ['nvidia'], unsafe: true },
    // Older drivers fail some of WebGPU's conformance tests in f16.
    chrome: 156,
    how: 'update the NVIDIA driver to 615.71 or newer',
    flags: ['--enable-dawn-features=vulkan_enable_f16_on_nvidia'],
    gain: F16_GAIN,
    source: 'https://dawn.googlesource.com/dawn/+/8f96ae09bbaac54d52ca6f8aff8606ffdbe9de3f',
  },
  {
    ...{ feature: 'shader-f16', door: 'node', systems: ['linux'], vendors: ['nvidia'], unsafe: false },
    how: 'update the NVIDIA driver to 615.71 or newer',
    flags: ['vulkan_enable_f16_on_nvidia'],
    gain: F16_GAIN,
    source: 'https://dawn.googlesource.com/dawn/+/8f96ae09bbaac54d52ca6f8aff8606ffdbe9de3f',
  },
  {
    ...{ feature: 'shader-f16', door: 'browser', unsafe: false },
    chrome: 120,
    how: 'update the graphics driver',
    gain: F16_GAIN,
    source: 'https://developer.chrome.com/blog/new-in-webgpu-120',
  },
  {
    ...{ feature: 'subgroups', door: 'browser', unsafe: false },
    chrome: 144,
    how: 'update the graphics driver',
    gain: "norms' sums with fewer barriers: under 1% of a step; and subgroup matrices, which need them",
    source: 'https://web-platform-dx.github.io/web-features-explorer/features/webgpu-subgroups/',
  },
  {
    ...{ feature: SIZE_FEATURE, door: 'browser', vendors: ['amd', 'intel'], unsafe: false },
    chrome: 151,
    how: 'update the graphics driver',
    gain: 'subgroup matrices on GPUs whose subgroups have several sizes',
    source: 'https://developer.chrome.com/blog/new-in-webgpu-151-152',
  },
  {
    ...{ feature: MATRIX_FEATURE, door: 'browser', systems: ['linux', 'macos'], unsafe: true },
    how: 'set chrome://flags/#enable-unsafe-webgpu to Enabled and restart Chrome',
    flags: ['--enable-unsafe-webgpu'],
    gain: MATRIX_GAIN,
    source: 'https://issues.chromium.org/issues/348702031',
  },
  {
    ...{ feature: MATRIX_FEATURE, door: 'browser', systems: ['windows'], unsafe: true },
    how: 'set chrome://flags/#enable-unsafe-webgpu to Enabled and restart Chrome; the driver must offer Shader Model 6.10, so that many do not have it yet',
    flags: ['--enable-unsafe-webgpu'],
    gain: MATRIX_GAIN,
    source: 'https://issues.chromium.org/issues/508313921',
  },
];

/** A device as far as the table tells systems apart. */
export interface Where {
  readonly door: Door;
  readonly system: System;
  /** As `GPUAdapterInfo.vendor` says; undefined where there is no adapter. */
  readonly vendor?: string;
  /** What the adapter offers; undefined where there is none. */
  readonly features?: { has(name: string): boolean };
}

/**
 * What this system hides from this GPU, at most one entry a feature, the most specific. It may be that the GPU lacks
 * the feature itself. Without an adapter: how to get one, for every vendor, since the GPU is not known then.
 */
export function unlocksFor({ door, system, vendor, features }: Where): Unlock[] {
  const here = UNLOCKS.filter(
    (one) =>
      one.door === door &&
      (one.systems?.includes(system) ?? true) &&
      (vendor === undefined || (one.vendors?.includes(vendor) ?? true)),
  );
  if (!features) {
    return here.filter(({ feature }) => feature === 'webgpu');
  }
  const missing = here.filter(({ feature }) => feature !== 'webgpu' && !features.has(feature));
  return missing.filter(({ feature }, at) => missing.findIndex((one) => one.feature === feature) === at);
}

/** The system, by `navigator.userAgent` or Node's `process.platform`; undefined for another. */
export function systemOf(text: string): System | undefined {
  if (/^win32$|\bWindows\b/.test(text)) {
    return 'windows';
  }
  if (/^darwin$|\bMacintosh\b/.test(text)) {
    return 'macos';
  }
  return /^linux$|\bLinux\b/.test(text) && !/\bAndroid\b/.test(text) ? 'linux' : undefined;
}
