import { runnerImport } from 'vite';

// TypeScript, and shaders with their includes, as vite.config.ts has them.
const { module } = await runnerImport('./shaders/vite-plugin.ts');
await runnerImport('./tests/e2e/screenshots.ts', { plugins: [module.wgsl()] });
