/** Chromium takes the last list of features only, so the first of them are those that Playwright disables. */
const DISABLED_FEATURES = [
  'AvoidUnnecessaryBeforeUnloadCheckSync',
  'DestroyProfileOnBrowserClose',
  'HttpsUpgrades',
  'HttpsFirstBalancedModeAutoEnable',
  'LensOverlay',
  'MediaRouter',
  'PaintHolding',
  'ThirdPartyStoragePartitioning',
  'AvoidCorsURLLoaderRestartOnRedirect',
  'OptimizationHints',
  'NetworkTimeServiceQuerying',
  'AimEnabled',
  'PreconnectToSearch',
  // The address bar's suggestions are pages of their own, two to a window: a sixth of the CPU time of a page's tests.
  'WebUIOmniboxPopup',
  'WebUIOmniboxAimPopup',
  'WebUIOmniboxFullPopup',
  // A renderer ahead of the next navigation, which few tests have.
  'SpareRendererForSitePerProcess',
];

/** Chrome with its software GPU, which stands for every GPU in the tests. */
export const BROWSER_ARGS = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--disable-background-networking',
  `--disable-features=${DISABLED_FEATURES.join(',')}`,
  // The CPU paints pages itself, and not as the GPU that it stands for.
  '--disable-gpu-compositing',
  // Without it SwiftShader takes minutes to compile the kernels; see src/cli/node-gpu.ts.
  '--disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension',
];
