import { expect, it } from 'vitest';
import { UserError } from '../../../src/formats/user-error.ts';
import type { Gpu } from '../../../src/gpu/device.ts';
import { diagnoseDevice, problemFinding, reportText } from '../../../src/run/diagnosis.ts';
import type { Here } from '../../../src/run/unlock-remedies.ts';

const NODE: Here = { door: 'node', system: 'linux' };
const CHROME: Here = { door: 'browser', system: 'linux', chrome: 156 };
const WINDOWS: Here = { door: 'browser', system: 'windows', chrome: 156 };
const MATRIX = 'chromium-experimental-subgroup-matrix';

/** A device of these features; what it is otherwise does not matter here. */
function device(
  features: readonly string[],
  rest: Partial<Gpu> = {},
  info: Partial<GPUAdapterInfo> = {},
): Gpu {
  const limits = {
    maxBufferSize: 2 ** 31,
    maxStorageBufferBindingSize: 2 ** 31,
    maxStorageBuffersPerShaderStage: 16,
    maxComputeWorkgroupStorageSize: 65536,
  };
  const adapterInfo = { vendor: 'amd', architecture: 'rdna-3', description: 'RADV 25.1', ...info };
  const gpu = {
    device: { features: new Set(features), limits, adapterInfo },
    name: 'Radeon',
    software: false,
  };
  return { ...gpu, ...rest } as unknown as Gpu;
}
const intel = (architecture: string): Partial<GPUAdapterInfo> => ({ vendor: 'intel', architecture });
const found = (gpu: Gpu, what: string, here = NODE) =>
  diagnoseDevice(gpu, here).find((finding) => finding.what === what);

it('a GPU with everything has nothing to be done', () => {
  const matrix = {
    dialect: 'order',
    shapes: [{ M: 16, N: 16, K: 16 }],
    subgroupSize: 32,
    sized: true,
  } as const;
  const gpu = device(['shader-f16', 'subgroups', MATRIX], { matrix });
  for (const here of [NODE, CHROME, WINDOWS]) {
    expect(reportText(diagnoseDevice(gpu, here))).toBe(`\
  ok  GPU: Radeon (amd, rdna-3)
  ok  driver: RADV 25.1
  ok  features: ${MATRIX}, shader-f16, subgroups
  ok  limits: buffers of 2.0 GiB, bindings of 2.0 GiB, 16 storage buffers, 64.0 KiB of workgroup memory
  ok  precision f32: runs
  ok  precision f16: runs
  ok  precision matrix: runs: 16×16×16, subgroups of 32`);
  }
});

it('names the GPU by whatever Node or Chrome tell of it', () => {
  const gpu = (info: Partial<GPUAdapterInfo>, name = 'amd rdna-3') =>
    diagnoseDevice(device([], { name }, { vendor: 'amd', architecture: 'rdna-3', ...info }), NODE)
      .slice(0, 2)
      .map(({ found }) => found);
  expect(gpu({ device: 'amd-radeon-rx-7900-xtx-radv-navi31-', description: 'radv: Mesa 26.2' })).toEqual([
    'amd radeon rx 7900 xtx radv navi31 (amd, rdna-3)',
    'radv: Mesa 26.2',
  ]);
  expect(gpu({ device: '', description: '' })).toEqual(['amd rdna-3', 'its version is not told']);
  expect(gpu({ device: '0x744c', description: 'Radeon' }, 'Radeon')[0]).toBe('Radeon (amd, rdna-3)');
});

it('names the features that a precision lacks, and what to do', () => {
  const old = device(['subgroups']);
  expect(found(old, 'precision f16')).toEqual({
    what: 'precision f16',
    found: 'does not run: the device offers no shader-f16',
    remedies: ['update the graphics driver; a GPU without f16 trains in f32'],
  });
  expect(found(old, 'precision matrix')?.found).toBe(
    `does not run: the device offers no ${MATRIX}, shader-f16`,
  );
  expect(found(old, 'precision matrix')?.remedies?.[0]).toMatch(/^update the graphics driver; /);
  const odd = found(device(['shader-f16', 'subgroups', MATRIX]), 'precision matrix');
  expect(odd?.found).toMatch(/none of its shapes suits the kernels, or .* no subgroup-size-control$/);
});

it('names the flag that unlocks matrices in Chrome, and not where it is set or the GPU has none', () => {
  const lines = (here: Here, info: Partial<GPUAdapterInfo> = {}) =>
    found(device(['shader-f16', 'subgroups', 'subgroup-size-control'], {}, info), 'precision matrix', here)
      ?.remedies ?? [];
  expect(lines(CHROME)[0]).toMatch(
    /^set chrome:\/\/flags\/#enable-unsafe-webgpu to Enabled and restart Chrome/,
  );
  expect(lines(CHROME)[1]).toMatch(/^the setting lowers/);
  expect(lines({ ...CHROME, unsafe: true })).toEqual([
    'update the graphics driver; a GPU without subgroup matrices trains in f16 or f32',
  ]);
  expect(lines(CHROME, { architecture: 'rdna-2' })).toEqual([]);
});

it('a laptop on Windows learns how its other GPU is chosen', () => {
  const remedies = (info: Partial<GPUAdapterInfo>, here: Here) =>
    found(device(['shader-f16'], {}, info), 'GPU', here)?.remedies;
  expect(remedies(intel('xe-lpg'), WINDOWS)?.[0]).toMatch(/#force-high-performance-gpu/);
  expect(remedies(intel('xe-2hpg'), WINDOWS)).toEqual([]);
  expect(remedies(intel('xe-lpg'), CHROME)).toEqual([]);
  expect(remedies({}, WINDOWS)).toEqual([]);
});

it('expects no driver to give a software device more, but says how to get a GPU', () => {
  const software = device([], { name: 'SwiftShader', software: true });
  for (const here of [NODE, CHROME, WINDOWS]) {
    const look = diagnoseDevice(software, here).filter(({ remedies = [] }) => remedies.length > 0);
    expect(look.map(({ what }) => what)).toEqual(['GPU']);
  }
  const remedies = found(software, 'GPU', CHROME)?.remedies?.join('\n');
  expect(remedies).toMatch(/Use graphics acceleration/);
  expect(remedies).toMatch(/^AMD GPU: start Chrome with .*--enable-features=Vulkan/m);
  // Chrome 156 is new enough.
  expect(remedies).toMatch(
    /^NVIDIA GPU: update the NVIDIA driver to 535.183 or newer, or start Chrome with/m,
  );
  expect(remedies).toMatch(/^switches take effect only if no window/m);
  const old = found(software, 'GPU', { ...CHROME, chrome: 140 })?.remedies?.join('\n');
  expect(old).toMatch(/^NVIDIA GPU: update Chrome to version 147 or newer and update the NVIDIA driver/m);
});

it('a problem is told with its remedy, and a failing driver in its own words, shortened', () => {
  expect(problemFinding('GPU', new UserError('No GPU: none; install one.'), ['or two'])).toEqual({
    what: 'GPU',
    found: 'No GPU: none',
    remedies: ['install one', 'or two'],
  });
  // Where only the system tells what to do, nothing stands before that.
  expect(problemFinding('GPU', new UserError('There is none.'), ['so']).remedies).toEqual(['so']);
  const failed = problemFinding('GPU', new Error('x'.repeat(9999)));
  expect(failed.found).toMatch(/^the driver failed: "x{100}/);
  expect(failed.found.length).toBeLessThan(300);
  expect(failed.remedies).toEqual(['update the graphics driver, or install it again']);
});
