import { createRequire } from 'node:module';

/** Dawn's package and its version: another one may compile kernels differently. */
export function webgpuVersion(): string {
  const { version } = createRequire(import.meta.url)('webgpu/package.json') as { version: string };
  return `webgpu ${version}`;
}
