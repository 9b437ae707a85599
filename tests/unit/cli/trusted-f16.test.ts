import { afterEach, expect, it, vi } from 'vitest';
import { openTrusted } from '../../../src/cli/node-gpu.ts';

afterEach(() => vi.unstubAllGlobals());

const TOGGLE = /^enable-dawn-features=.*\bvulkan_enable_f16_on_nvidia\b/;

/** Adapters of one GPU as Dawn gives them: f16 of NVIDIA's only with the toggle. Logs what is opened and closed. */
function machine(vendor: string) {
  const log: string[] = [];
  const limits = {
    maxStorageBuffersPerShaderStage: 8,
    maxComputeWorkgroupStorageSize: 16384,
    maxComputeInvocationsPerWorkgroup: 256,
    maxStorageBufferBindingSize: 2 ** 27,
    maxBufferSize: 2 ** 28,
  };
  const find = (flags: string[]) => {
    const shown = vendor !== 'nvidia' || flags.some((flag) => TOGGLE.test(flag));
    const name = shown ? 'with f16' : 'without';
    const features = new Set(shown ? ['shader-f16', 'subgroups'] : ['subgroups']);
    const device = (requiredFeatures: string[]) => {
      log.push(`opened ${name}`);
      return {
        ...{ features: new Set(requiredFeatures), limits, lost: new Promise(() => undefined) },
        ...{ addEventListener: () => undefined, destroy: () => log.push(`closed ${name}`) },
      };
    };
    return Promise.resolve({
      ...{ features, limits, info: { vendor, isFallbackAdapter: false, description: vendor } },
      requestDevice: (asked: { requiredFeatures: string[] }) =>
        Promise.resolve(device(asked.requiredFeatures)),
    } as unknown as GPUAdapter);
  };
  return { log, find };
}

const has = (gpu: { device: GPUDevice } | undefined) => gpu?.device.features.has('shader-f16');
const onLinux = () => vi.stubGlobal('process', { ...process, platform: 'linux', env: process.env });

it('gives an NVIDIA GPU its f16 once its kernels in f16 agree', async () => {
  onLinux();
  const { find, log } = machine('nvidia');
  const gpu = await openTrusted(find, 'adapter', () => Promise.resolve([]));
  expect(has(gpu)).toBe(true);
  expect(log).toEqual(['opened with f16']);
});

it.each([
  ['one disagrees', () => Promise.resolve(['f16 64x128x32: its result differs by 3.1e-1'])],
  ['the test itself fails', () => Promise.reject(new Error('lost'))],
])('opens it again without f16 if %s', async (_, wrong) => {
  onLinux();
  const { find, log } = machine('nvidia');
  const gpu = await openTrusted(find, 'adapter', wrong);
  expect(has(gpu)).toBe(false);
  expect(log).toEqual(['opened with f16', 'closed with f16', 'opened without']);
});

it('trusts Dawn with all other GPUs', async () => {
  onLinux();
  const { find, log } = machine('amd');
  const wrong = vi.fn(() => Promise.resolve(['never asked']));
  expect(has(await openTrusted(find, 'adapter', wrong))).toBe(true);
  expect(wrong).not.toHaveBeenCalled();
  expect(log).toEqual(['opened with f16']);
});

it('gives nothing where there is no hardware GPU', async () => {
  expect(await openTrusted(() => Promise.resolve(null), 'adapter')).toBeUndefined();
});
