import { defineConfig } from 'vitest/config';
import { wgsl } from '../../shaders/vite-plugin.ts';

/** The tests that need llama.cpp, which `npm run test:llama` installs into this folder. */
export default defineConfig({
  plugins: [wgsl()],
  root: new URL('../..', import.meta.url).pathname,
  test: {
    include: ['tests/llama/*.test.ts'],
    setupFiles: ['tests/support/equal-bytes.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
