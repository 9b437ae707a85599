import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { brotliDecompress } from 'node:zlib';
import { isRunning } from './processes.ts';

/** A package of the npm registry that contains SwiftShader and a Vulkan loader for Linux on x64. */
export const SWIFTSHADER_PACKAGE = {
  name: '@sparticuz/chromium',
  version: '153.0.0',
  /** Of the package's tarball, in hexadecimal: other content is refused. */
  sha512:
    '8e2196a92bcf31dbb8f8ff538a562a011ef21063c41c8371fa50af13f36a34efc41d8cc5ff1d615222394fa8a8548b7b744cbb9fcf1bcb24f4be4f9d9ec810c0',
  /** Bytes of the tarball, and of what is kept of it. */
  download: 69_995_309,
  kept: 6_838_219,
} as const;

const ARCHIVE = 'package/bin/swiftshader.tar.br';
const FILES = ['libvk_swiftshader.so', 'libvulkan.so.1', 'vk_swiftshader_icd.json'];

/** Runs a command in a folder; throws an Error that says why it failed. */
export type RunIn = (folder: string, command: readonly string[]) => Promise<void>;

/**
 * Downloads the package with npm, checks its hash and keeps SwiftShader in `folder`/swiftshader-VERSION, whole or not
 * at all.
 */
export async function fetchSwiftShader(
  folder: string,
  npm: readonly string[],
  run: RunIn,
  { name, version, sha512 }: { name: string; version: string; sha512: string } = SWIFTSHADER_PACKAGE,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  await removeLeftovers(folder);
  const partial = await mkdtemp(join(folder, `.${process.pid}.partial-`));
  try {
    // npm's own cache would keep all of it.
    await run(partial, [
      ...npm,
      'pack',
      `${name}@${version}`,
      '--loglevel=error',
      '--fetch-retries=0',
      '--cache=npm-cache',
    ]);
    const tarball = `${name.replace('@', '').replace('/', '-')}-${version}.tgz`;
    const found = await hashOf(join(partial, tarball));
    if (found !== sha512) {
      throw new Error(`${tarball} has the SHA-512 ${found.slice(0, 16)}…, expected ${sha512.slice(0, 16)}…`);
    }
    await run(partial, ['tar', '-xzf', tarball, ARCHIVE]);
    const inner = await promisify(brotliDecompress)(await readFile(join(partial, ARCHIVE)));
    await writeFile(join(partial, 'swiftshader.tar'), inner);
    const whole = join(partial, 'whole');
    await mkdir(whole);
    await run(partial, ['tar', '-xf', 'swiftshader.tar', '-C', 'whole', ...FILES]);
    const place = join(folder, `swiftshader-${version}`);
    await rename(whole, place).catch((error: unknown) => {
      // Another process was quicker.
      if (!existsSync(place)) {
        throw error;
      }
    });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** Downloads of processes that are gone. */
async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const pid = /^\.(\d+)\.partial-/.exec(name)?.[1];
    if (pid !== undefined && !isRunning(Number(pid))) {
      await rm(join(folder, name), { recursive: true, force: true });
    }
  }
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha512');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
