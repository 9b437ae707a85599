import { arch, cpus, release, type, version } from 'node:os';
import { webgpuVersion } from './webgpu-version.ts';

/** What a benchmark report notes about the program, the machine and this call. */
export function hostFacts(): Record<string, string | number> {
  return {
    date: new Date().toISOString(),
    command: ['retune', ...process.argv.slice(2)].join(' '),
    os: `${type()} ${release()} ${arch()}, ${version()}`,
    cpu: `${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} threads`,
    node: process.version,
    dawn: webgpuVersion(),
  };
}
