import type { Folder } from '../formats/byte-source.ts';
import { UserError } from '../formats/user-error.ts';
import type { BaseCache } from '../model/base/cache/base-cache.ts';
import { readCursor } from '../run/checkpoint/checkpoint.ts';
import type { RunStore } from '../run/checkpoint/store.ts';
import { nodeFolder } from './node-files.ts';

/**
 * The base that `--base` names or, if omitted, the cached base that the output's run was started with. Throws
 * UserError.
 */
export async function baseFolder(
  path: string | undefined,
  store: RunStore,
  cache: BaseCache | undefined,
  doubleQuant: boolean,
): Promise<Folder> {
  if (path !== undefined) {
    return nodeFolder(path);
  }
  const step = (await store.checkpoints()).at(-1);
  if (step === undefined) {
    throw new UserError(
      `retune finetune: --base is missing, and ${store.name} holds no run to resume; name the base's folder.`,
    );
  }
  const { identity } = await readCursor(await store.openCheckpoint(step));
  const folder = await cache?.folder(identity.base, doubleQuant);
  if (!folder) {
    throw new UserError(
      `retune finetune: --base is missing, and the base of ${store.name} is not in the cache; name its folder.`,
    );
  }
  return folder;
}
