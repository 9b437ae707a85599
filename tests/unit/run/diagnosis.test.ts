import { expect, it } from 'vitest';
import type { Gpu } from '../../../src/gpu/device.ts';
import { diagnoseDevice } from '../../../src/run/diagnosis.ts';

const MATRIX = 'chromium-experimental-subgroup-matrix';

/** A device of these features; what it is otherwise does not matter here. */
function device(features: readonly string[], rest: Partial<Gpu> = {}): Gpu {
  const limits = {
    maxBufferSize: 2 ** 31,
    maxStorageBufferBindingSize: 2 ** 31,
    maxStorageBuffersPerShaderStage: 16,
    maxComputeWorkgroupStorageSize: 65536,
  };
  const adapterInfo = { vendor: 'amd', architecture: 'rdna-3', description: 'RADV 25.1' };
  const gpu = {
    device: { features: new Set(features), limits, adapterInfo },
    name: 'Radeon',
    software: false,
  };
  return { ...gpu, ...rest } as unknown as Gpu;
}
const found = (gpu: Gpu, what: string) => diagnoseDevice(gpu).find((finding) => finding.what === what);

it('a GPU with everything has nothing to be done', () => {
  const matrix = {
    dialect: 'order',
    shapes: [{ M: 16, N: 16, K: 16 }],
    subgroupSize: 32,
    sized: true,
  } as const;
  const gpu = device(['shader-f16', 'subgroups', MATRIX], { matrix });
  expect(diagnoseDevice(gpu)).toEqual([
    { what: 'GPU', found: 'Radeon' },
    { what: 'driver', found: 'RADV 25.1, amd, rdna-3' },
    { what: 'features', found: `${MATRIX}, shader-f16, subgroups` },
    {
      what: 'limits',
      found: 'buffers of 2.0 GiB, bindings of 2.0 GiB, 16 storage buffers, 64.0 KiB of workgroup memory',
    },
    { what: 'precision f32', found: 'runs' },
    { what: 'precision f16', found: 'runs' },
    { what: 'precision matrix', found: 'runs: 16×16×16, subgroups of 32' },
  ]);
});

it('names the features that a precision lacks, and what to do', () => {
  const old = device(['subgroups']);
  expect(found(old, 'precision f16')).toEqual({
    what: 'precision f16',
    found: 'does not run: the device offers no shader-f16',
    remedy: 'update the driver; a GPU without f16 trains in f32',
  });
  expect(found(old, 'precision matrix')?.found).toBe(
    `does not run: the device offers no ${MATRIX}, shader-f16`,
  );
  expect(found(old, 'precision matrix')?.remedy).toMatch(/^update the driver; /);
  const odd = found(device(['shader-f16', 'subgroups', MATRIX]), 'precision matrix');
  expect(odd?.found).toMatch(/none of its shapes suits the kernels, or .* no subgroup-size-control$/);
});

it('expects no driver to give a software device more', () => {
  const software = device([], { name: 'SwiftShader', software: true });
  const remedies = diagnoseDevice(software).filter(({ remedy }) => remedy !== undefined);
  expect(remedies.map(({ what }) => what)).toEqual(['GPU']);
});
