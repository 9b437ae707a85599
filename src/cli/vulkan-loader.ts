import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { findSwiftShader } from './software-vulkan.ts';

const LOADER = 'libvulkan.so.1';
/** RTLD_NODELETE of glibc and musl: the library stays although Node closes what is not an addon. */
const NO_DELETE = 0x1000;

/**
 * Makes the Vulkan loader available on Linux where the distribution's (libvulkan1) is not installed: Chrome ships one
 * beside SwiftShader. Dawn opens it by its soname, which finds what the process has loaded already.
 *
 * Reference: dlopen(3), "If the same shared object is opened again".
 */
export function provideVulkanLoader(load = loadLibrary, manifest = findSwiftShader()): void {
  if (load(LOADER) || manifest === undefined) {
    return;
  }
  const beside = join(dirname(manifest), LOADER);
  if (existsSync(beside)) {
    load(beside);
  }
}

/** Loads a shared library into this process; false if it was not found. */
function loadLibrary(path: string): boolean {
  const { RTLD_NOW, RTLD_GLOBAL } = constants.dlopen;
  try {
    process.dlopen({ exports: {} }, path, RTLD_NOW | RTLD_GLOBAL | NO_DELETE);
  } catch (error) {
    // Node refuses every library that is no addon, after loading it.
    return /did not self-register/.test((error as Error).message);
  }
  return true;
}
