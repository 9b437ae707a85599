import { UserError } from '../../formats/user-error.ts';
import type { EngineApi } from '../protocol/protocol.ts';
import type { KeeperApi, ReaderApi } from '../worker-apis.ts';

/**
 * Imports a run from an archive: one worker reads and validates it, the other stores it in one transaction. If
 * canceled meanwhile, it is deleted again.
 */
export async function importRun(
  reader: Pick<ReaderApi, 'readArchive'>,
  keeper: Pick<KeeperApi, 'keepArchive' | 'deleteRun'>,
  ...[file, onProgress, signal]: Parameters<EngineApi['importRun']>
): ReturnType<EngineApi['importRun']> {
  const archive = await reader.readArchive(file, onProgress, signal);
  if (!archive.ok) {
    return archive;
  }
  const kept = await keeper.keepArchive(archive.value);
  if (!kept.ok || !signal?.aborted) {
    return kept;
  }
  const deleted = await keeper.deleteRun(kept.value.id);
  if (!deleted.ok) {
    return deleted;
  }
  if (signal.reason instanceof UserError) {
    return { ok: false, sentence: signal.reason.message };
  }
  throw signal.reason;
}
