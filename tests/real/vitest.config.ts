import { defineConfig } from 'vitest/config';
import { wgsl } from '../../shaders/vite-plugin.ts';

/** The run over a real base, stage by stage: `npm run test:real`. */
export default defineConfig({
  plugins: [wgsl()],
  root: new URL('../..', import.meta.url).pathname,
  test: {
    include: ['tests/real/*.test.ts'],
    setupFiles: ['tests/support/equal-bytes.ts'],
    pool: 'forks',
    maxWorkers: 1,
    bail: 1,
    testTimeout: 6 * 3_600_000,
    hookTimeout: 300_000,
  },
});
