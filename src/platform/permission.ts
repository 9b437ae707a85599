type AskableHandle = FileSystemHandle & {
  queryPermission?(permission: { mode: 'read' }): Promise<PermissionState>;
  requestPermission?(permission: { mode: 'read' }): Promise<PermissionState>;
};

/** Whether the handles may be read; with `ask`, the user is asked, which a browser allows only after a click. */
export async function mayRead(handles: readonly FileSystemHandle[], ask: boolean): Promise<boolean> {
  for (const handle of handles as readonly AskableHandle[]) {
    if (!handle.queryPermission) {
      continue;
    }
    let state = await handle.queryPermission({ mode: 'read' });
    if (state === 'prompt' && ask) {
      state = await handle.requestPermission!({ mode: 'read' });
    }
    if (state !== 'granted') {
      return false;
    }
  }
  return true;
}
