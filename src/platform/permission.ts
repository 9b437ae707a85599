type AskableHandle = FileSystemHandle & {
  queryPermission?(permission: { mode: 'read' }): Promise<PermissionState>;
  requestPermission?(permission: { mode: 'read' }): Promise<PermissionState>;
};

/**
 * Has the browser ask the user whether `handle` may be read; what it resolves to stands for the answer, such as
 * 'prompt' where the user did not want to wait for it.
 */
export type AskToRead = (
  handle: FileSystemHandle,
  request: () => Promise<PermissionState>,
) => Promise<PermissionState>;

/**
 * Whether the handles may be read: what the browser says of the first that may not. With `ask`, the user is asked, which
 * a browser allows only after a click.
 */
export async function readPermission(
  handles: readonly FileSystemHandle[],
  ask?: AskToRead,
): Promise<PermissionState> {
  for (const handle of handles as readonly AskableHandle[]) {
    if (!handle.queryPermission) {
      continue;
    }
    let state = await handle.queryPermission({ mode: 'read' });
    if (state === 'prompt' && ask) {
      state = await ask(handle, () => handle.requestPermission!({ mode: 'read' }));
    }
    if (state !== 'granted') {
      return state;
    }
  }
  return 'granted';
}

/** Whether the handles may be read; see readPermission. */
export const mayRead = async (handles: readonly FileSystemHandle[], ask?: AskToRead): Promise<boolean> =>
  (await readPermission(handles, ask)) === 'granted';
