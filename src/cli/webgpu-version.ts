import { createRequire } from 'node:module';

/** The package that Dawn comes in, with its version: another one may compile kernels otherwise. */
export function webgpuVersion(): string {
  const { version } = createRequire(import.meta.url)('webgpu/package.json') as { version: string };
  return `webgpu ${version}`;
}
