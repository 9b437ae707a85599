import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/**
 * Whether the Vulkan loader would find a driver manifest on Linux. Asked first because Dawn prints a warning if
 * there is none.
 *
 * Reference: KhronosGroup/Vulkan-Loader, docs/LoaderDriverInterface.md.
 */
export function hasVulkanDriver(env: NodeJS.ProcessEnv = process.env): boolean {
  const given = env.VK_DRIVER_FILES ?? env.VK_ICD_FILENAMES;
  if (given !== undefined) {
    return split(given).some(existsSync);
  }
  return (
    split(env.VK_ADD_DRIVER_FILES).some(existsSync) ||
    searchFolders(env).some(
      (folder) => existsSync(folder) && readdirSync(folder).some((n) => n.endsWith('.json')),
    )
  );
}

function searchFolders(env: NodeJS.ProcessEnv): string[] {
  const home = env.HOME ?? homedir();
  const roots = [
    env.XDG_CONFIG_HOME ?? join(home, '.config'),
    ...split(env.XDG_CONFIG_DIRS || '/etc/xdg'),
    '/usr/local/etc',
    '/etc',
    env.XDG_DATA_HOME ?? join(home, '.local/share'),
    ...split(env.XDG_DATA_DIRS || '/usr/local/share:/usr/share'),
  ];
  return roots.map((root) => join(root, 'vulkan/icd.d'));
}

const split = (paths = ''): string[] => paths.split(delimiter).filter(Boolean);
