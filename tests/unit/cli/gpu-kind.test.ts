import { afterEach, expect, it, vi } from 'vitest';
import { nodeGpuKind } from '../../../src/cli/node-gpu.ts';

afterEach(() => vi.unstubAllEnvs());

const info = {
  vendor: 'nvidia',
  architecture: 'lovelace',
  device: 'NVIDIA GeForce RTX 4060',
  description: '',
};
const finding = (found: object | null) => vi.fn(() => Promise.resolve(found as GPUAdapter | null));

it('what the GPU is, without opening it', async () => {
  vi.stubEnv('RETUNE_SOFTWARE_GPU', '');
  const find = finding({ info });
  expect(await nodeGpuKind(find)).toEqual({
    ...{ name: 'NVIDIA GeForce RTX 4060', software: false, vendor: 'nvidia', architecture: 'lovelace' },
  });
  expect(find).toHaveBeenCalledOnce();
  const onCpu = finding({ info: { ...info, device: '', description: 'llvmpipe (LLVM 19)' } });
  expect(await nodeGpuKind(onCpu)).toMatchObject({ name: 'llvmpipe (LLVM 19)', software: true });
});

it('is nothing without one, where Dawn cannot be loaded, and where a software device is asked for', async () => {
  vi.stubEnv('RETUNE_SOFTWARE_GPU', '');
  expect(await nodeGpuKind(finding(null))).toBeUndefined();
  expect(await nodeGpuKind(() => Promise.reject(new Error('no such file')))).toBeUndefined();
  vi.stubEnv('RETUNE_SOFTWARE_GPU', '1');
  const find = finding({ info });
  expect(await nodeGpuKind(find)).toBeUndefined();
  expect(find).not.toHaveBeenCalled();
});
