import { homedir } from 'node:os';
import { join, posix, win32 } from 'node:path';

/**
 * The default place of the cache; undefined if there is no home folder, as for a user unknown to the system. A
 * relative path would mean a different place for each command (and is invalid by the XDG specification).
 */
export function defaultCacheFolder(
  env = process.env,
  platform = process.platform,
  home = homeFolder,
): string | undefined {
  const { isAbsolute } = platform === 'win32' ? win32 : posix;
  const inHome = (folder: string) => {
    const found = home();
    return found && join(found, folder);
  };
  const places = [
    () => env['XDG_CACHE_HOME'],
    () => (platform === 'darwin' ? inHome('Library/Caches') : undefined),
    () => (platform === 'win32' ? env['LOCALAPPDATA'] : undefined),
    () => inHome('.cache'),
  ];
  for (const place of places) {
    const parent = place();
    if (parent && isAbsolute(parent)) {
      return join(parent, 'retune');
    }
  }
  return undefined;
}

function homeFolder(): string | undefined {
  try {
    return homedir();
  } catch {
    return undefined;
  }
}
