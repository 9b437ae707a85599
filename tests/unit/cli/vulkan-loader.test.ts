import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { provideVulkanLoader } from '../../../src/cli/vulkan-loader.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'retune-loader-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What is loaded where these libraries can be found. */
function loaded(found: readonly string[], manifest?: string): string[] {
  const tried: string[] = [];
  const load = (path: string) => {
    tried.push(path);
    return found.includes(path);
  };
  provideVulkanLoader(load, manifest);
  return tried;
}

it("the Vulkan loader is the system's, otherwise the one beside SwiftShader", () => {
  const manifest = join(folder, 'vk_swiftshader_icd.json');
  const beside = join(folder, 'libvulkan.so.1');
  expect(loaded(['libvulkan.so.1'], manifest)).toEqual(['libvulkan.so.1']);
  expect(loaded([], manifest)).toEqual(['libvulkan.so.1']);
  writeFileSync(beside, '');
  expect(loaded([], manifest)).toEqual(['libvulkan.so.1', beside]);
});
