import { cpSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

/**
 * Puts into `folder` what `build` makes in the folder that it is given. The test files of one run share a build of one
 * kind: the first that needs it makes it, the others wait.
 */
export async function builtOnce(
  kind: string,
  folder: string,
  build: (folder: string) => Promise<unknown>,
): Promise<void> {
  const shared = process.env.RETUNE_TEST_BUILDS;
  // Outside of Vitest there is nobody to share with.
  if (shared === undefined) {
    return void (await build(folder));
  }
  const [built, failed] = [join(shared, kind), join(shared, `${kind}.failed`)];
  if (claim(join(shared, `${kind}.claimed`))) {
    try {
      await build(`${built}.partial`);
      renameSync(`${built}.partial`, built);
    } catch (error) {
      writeFileSync(failed, String(error));
      throw error;
    }
  }
  while (!existsSync(built)) {
    if (existsSync(failed)) {
      throw new Error(`another test file could not build ${kind}`);
    }
    await wait(100);
  }
  rmSync(folder, { recursive: true, force: true });
  cpSync(built, folder, { recursive: true });
}

/** Whether this is the first call for that path, of all processes. */
function claim(path: string): boolean {
  try {
    mkdirSync(path);
    return true;
  } catch {
    return false;
  }
}
