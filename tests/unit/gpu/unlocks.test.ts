import { describe, expect, it } from 'vitest';
import { MATRIX_FEATURE, SIZE_FEATURE } from '../../../src/gpu/subgroup-matrices.ts';
import { systemOf, UNLOCKS, unlocksFor, type Where } from '../../../src/gpu/unlocks.ts';

const names = (where: Where) =>
  unlocksFor(where).map(({ feature, vendors, chrome, how }) => [feature, ...(vendors ?? []), chrome, how]);
const plain = new Set<string>();

describe('what a system hides from a GPU', () => {
  it('tells how f16 and matrices are had in Chrome on Linux with NVIDIA', () => {
    const found = unlocksFor({ door: 'browser', system: 'linux', vendor: 'nvidia', features: plain });
    expect(found.map(({ feature }) => feature)).toEqual(['shader-f16', 'subgroups', MATRIX_FEATURE]);
    expect(found[0]?.flags).toEqual(['--enable-dawn-features=vulkan_enable_f16_on_nvidia']);
    expect(found[2]?.flags).toEqual(['--enable-unsafe-webgpu']);
  });

  it('hides f16 from NVIDIA nowhere else', () => {
    for (const system of ['windows', 'macos'] as const) {
      const [f16] = unlocksFor({ door: 'browser', system, vendor: 'nvidia', features: plain });
      expect([f16?.chrome, f16?.how]).toEqual([120, 'update the graphics driver']);
    }
  });

  it('names a feature once, and none that is there', () => {
    const all = new Set(['shader-f16', 'subgroups', SIZE_FEATURE, MATRIX_FEATURE]);
    for (const vendor of ['nvidia', 'amd', 'intel', 'apple', '']) {
      for (const system of ['linux', 'windows', 'macos'] as const) {
        const missing = unlocksFor({ door: 'browser', system, vendor, features: plain });
        expect(new Set(missing.map(({ feature }) => feature)).size).toBe(missing.length);
        expect(missing.at(-1)?.feature).toBe(MATRIX_FEATURE);
        expect(unlocksFor({ door: 'browser', system, vendor, features: all })).toEqual([]);
      }
    }
  });

  it('asks for a fixed size of subgroups only where they have several', () => {
    const features = (vendor: string) =>
      unlocksFor({ door: 'browser', system: 'linux', vendor, features: plain }).map(({ feature }) => feature);
    expect(features('amd')).toContain(SIZE_FEATURE);
    expect(features('nvidia')).not.toContain(SIZE_FEATURE);
  });

  it('without an adapter tells how to get one on Linux, for each maker', () => {
    expect(names({ door: 'browser', system: 'linux' })).toEqual([
      ['webgpu', 'nvidia', 147, 'update the NVIDIA driver to 535.183 or newer'],
      ['webgpu', 'intel', 144, 'update Mesa'],
      ['webgpu', 'amd', undefined, undefined],
    ]);
    expect(names({ door: 'browser', system: 'windows' })).toEqual([]);
  });

  it("leaves NVIDIA's driver to do in Node, and nothing else", () => {
    expect(names({ door: 'node', system: 'linux', vendor: 'nvidia', features: plain })).toEqual([
      ['shader-f16', 'nvidia', undefined, 'update the NVIDIA driver to 615.71 or newer'],
    ]);
    expect(names({ door: 'node', system: 'linux', vendor: 'amd', features: plain })).toEqual([]);
  });
});

it('has a source and a gain for each, and calls each of Chrome\'s own "unsafe" flags so', () => {
  for (const { source, gain, chrome, how, flags = [], unsafe, door } of UNLOCKS) {
    expect(source).toMatch(/^https:\/\//);
    expect([chrome, how, ...flags].some((one) => one !== undefined)).toBe(true);
    expect(gain).not.toBe('');
    expect(unsafe).toBe(door === 'browser' && flags.length > 0);
  }
});

it('knows systems by what Node and browsers call them', () => {
  const agent = (os: string) =>
    `Mozilla/5.0 (${os}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36`;
  expect(systemOf('linux')).toBe('linux');
  expect(systemOf('win32')).toBe('windows');
  expect(systemOf('darwin')).toBe('macos');
  expect(systemOf(agent('X11; Linux x86_64'))).toBe('linux');
  expect(systemOf(agent('Windows NT 10.0; Win64; x64'))).toBe('windows');
  expect(systemOf(agent('Macintosh; Intel Mac OS X 10_15_7'))).toBe('macos');
  expect(systemOf(agent('Linux; Android 10; K'))).toBeUndefined();
  expect(systemOf('freebsd')).toBeUndefined();
});
