import { defineConfig } from 'vitest/config';

export default defineConfig({
  base: './',
  worker: { format: 'es' },
  build: { target: 'es2023' },
  test: {
    include: process.env.RETUNE_LONG ? ['tests/long/**/*.test.ts'] : ['tests/{unit,gpu,e2e}/**/*.test.ts'],
    globalSetup: ['tests/support/global-setup.ts'],
    reporters: ['default', './tests/support/closing-line.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: process.env.RETUNE_LONG ? 7_200_000 : 300_000,
    hookTimeout: 300_000,
  },
});
