import { createStore, get, set } from 'idb-keyval';
import type { ChosenFile, ChosenFolder, ChosenInputs } from '../worker/protocol.ts';
import { readFolder, type AskableHandle } from './file-pickers.ts';

/** The handles behind a run's files: what survives a reload, unlike the files. */
interface KeptHandles {
  base: FileSystemDirectoryHandle;
  source: FileSystemDirectoryHandle | undefined;
  train: FileSystemFileHandle;
  validation: FileSystemFileHandle | undefined;
}

const store = () => createStore('retune-handles', 'handles');

/** Keeps the handles of the run being started, where there are handles for all of its files. */
export async function keepInputs({
  base,
  source,
  train,
  validation,
}: Omit<ChosenInputs, 'recipe'>): Promise<void> {
  const complete =
    base.handle && train.handle && (!source || source.handle) && (!validation || validation.handle);
  const kept = complete && {
    base: base.handle,
    source: source?.handle,
    train: train.handle,
    validation: validation?.handle,
  };
  await set('last', kept || undefined, store());
}

/** The handles kept last; undefined where there are none. */
export const keptHandles = (): Promise<KeptHandles | undefined> => get<KeptHandles>('last', store());

/** Whether the handles may be read: asks the user where `ask`, which needs a click. */
export async function mayRead(handles: KeptHandles, ask: boolean): Promise<boolean> {
  for (const handle of Object.values(handles) as (AskableHandle | undefined)[]) {
    if (!handle?.queryPermission) continue;
    let state = await handle.queryPermission({ mode: 'read' });
    if (state === 'prompt' && ask) state = await handle.requestPermission!({ mode: 'read' });
    if (state !== 'granted') return false;
  }
  return true;
}

/** The files as they are on disk now. */
export async function readKept(handles: KeptHandles): Promise<Omit<ChosenInputs, 'recipe'>> {
  const folder = (handle: FileSystemDirectoryHandle): Promise<ChosenFolder> => readFolder(handle);
  const file = async (handle: FileSystemFileHandle): Promise<ChosenFile> => ({
    file: await handle.getFile(),
    handle,
  });
  return {
    base: await folder(handles.base),
    source: handles.source && (await folder(handles.source)),
    train: await file(handles.train),
    validation: handles.validation && (await file(handles.validation)),
  };
}

/** Whether these are the handles of a run with these names. */
export const sameNames = (
  handles: KeptHandles,
  names: { base: string; source: string | undefined; train: string; validation: string | undefined },
): boolean =>
  handles.base.name === names.base &&
  handles.source?.name === names.source &&
  handles.train.name === names.train &&
  handles.validation?.name === names.validation;
