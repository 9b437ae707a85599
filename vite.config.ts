import { defineConfig, type TestProjectInlineConfiguration, type ViteUserConfig } from 'vitest/config';
import { wgsl } from './shaders/vite-plugin.ts';
import { securityHeaders } from './src/platform/security-headers.ts';
import { guarded } from './src/serve/guard.ts';
import { withHeaders } from './src/serve/precache.ts';

export default defineConfig(async ({ command, mode }): Promise<ViteUserConfig> => ({
  base: './',
  worker: { format: 'es', plugins: () => [wgsl()] },
  build: { target: 'es2023' },
  // No other origin has business with the page's files, and a path that is not there is none of the page.
  server: { cors: false },
  preview: { cors: false },
  appType: 'mpa',
  plugins: [wgsl(), command === 'build' ? await offline() : guarded()],
  test: {
    // In projects the mode is not what the command line says, so long tests stand outside of them.
    ...(mode === 'long'
      ? { include: ['tests/{long,fuzz}/**/*.test.ts'] }
      : {
          projects: [
            // Files that share a process share a device and its compiled kernels.
            project('gpu', ['tests/gpu/**/*.test.ts'], {
              isolate: false,
              restoreMocks: true,
              setupFiles: ['tests/support/release-test-gpu.ts'],
            }),
            // Importing the same modules anew would take as long as the tests. Those that mock modules need it.
            project('unit', ['tests/unit/**/*.test.ts'], {
              setupFiles: ['tests/support/real-timers.ts'],
              exclude: ['**/*.mocks.test.ts'],
              isolate: false,
              restoreMocks: true,
              unstubGlobals: true,
            }),
            project('cpu', ['tests/{fuzz,faults,e2e}/**/*.test.ts', 'tests/unit/**/*.mocks.test.ts']),
          ],
        }),
    globalSetup: ['tests/support/global-setup.ts'],
    setupFiles: ['tests/support/equal-bytes.ts'],
    reporters: ['default', './tests/support/closing-line.ts'],
    pool: 'forks',
    // Each compiles the kernels anew: a third took longer on two cores.
    maxWorkers: 2,
    // Tests of one file that wait for pages run side by side.
    maxConcurrency: 3,
    // A page under load may be too slow for a limit once; the closing lines name each test that needed it.
    retry: process.env.CI ? 1 : 0,
    testTimeout: mode === 'long' ? 7_200_000 : 300_000,
    hookTimeout: 300_000,
  },
}));

/** A group of test files, with the options above where it says nothing else. */
const project = (name: string, include: string[], options: TestProjectInlineConfiguration['test'] = {}) => ({
  extends: true as const,
  test: { name, include, ...options },
});

/** The service worker and the manifest: after the first visit the page needs no network. */
async function offline() {
  const { VitePWA } = await import('vite-plugin-pwa');
  return VitePWA({
    registerType: 'prompt',
    injectRegister: null,
    // The patterns below have them, and a file with two revisions ends the service worker.
    includeManifestIcons: false,
    manifest: {
      name: 'Retune',
      short_name: 'Retune',
      description: 'Continue the fine-tuning of a LoRA adapter on your own GPU.',
      start_url: './',
      scope: './',
      display: 'standalone',
      theme_color: '#1f4d4a',
      background_color: '#f5f4ef',
      icons: [
        { src: 'icon-192.png', sizes: '192x192', type: 'image/png' },
        { src: 'icon-512.png', sizes: '512x512', type: 'image/png' },
        { src: 'icon-maskable-512.png', sizes: '512x512', type: 'image/png', purpose: 'maskable' },
        { src: 'icon.svg', sizes: 'any', type: 'image/svg+xml' },
      ],
    },
    workbox: {
      // Imported chunks of Workbox would need a policy of their own.
      inlineWorkboxRuntime: true,
      // The page, its worker and shaders, and the bundled demo; pictures of the README stay out.
      globPatterns: ['**/*.{html,js,css,wasm}', 'icon*.{svg,png}', 'demo/**/*'],
      maximumFileSizeToCacheInBytes: 16 * 2 ** 20,
      manifestTransforms: [withHeaders(securityHeaders)],
      cleanupOutdatedCaches: true,
    },
  });
}
