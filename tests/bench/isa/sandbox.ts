import { type ChildProcess, spawn, spawnSync, type StdioOptions } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../../src/formats/user-error.ts';
import type { Target } from './targets.ts';

/** Where Debian puts libraries and Vulkan's manifests. */
const LIBRARIES = process.arch === 'arm64' ? '/usr/lib/aarch64-linux-gnu' : '/usr/lib/x86_64-linux-gnu';
const MANIFESTS = '/usr/share/vulkan/icd.d';

/** Default folder of the Debian that is made for hosts without mesa-drm-shim. */
export const DEFAULT_ROOT = '/var/tmp/retune-isa';

/** What goes into that folder; debootstrap adds what it needs itself. */
const PACKAGES = ['mesa-vulkan-drivers', 'mesa-drm-shim', 'libvulkan1', 'nodejs'];

/** Gives a shell its own mounts, which end with it; binds folders into a root and runs a command there. */
const ENTER = `set -eu
root=$1; top=$2; modules=$3; shift 3
for folder in /proc /dev "$top" "$modules"; do mkdir -p "$root$folder"; mount --rbind "$folder" "$root$folder"; done
exec chroot "$root" /usr/bin/env -i "$@"`;

/** Drivers over kernels that are not there: those of this machine, or of a Debian in a folder. */
export class Sandbox {
  readonly #root: string | undefined;

  private constructor(root: string | undefined) {
    this.#root = root;
  }

  /**
   * Takes this machine's mesa-drm-shim if it is installed and no folder named, otherwise the Debian in the folder, which
   * is made there if the folder does not exist. Throws UserError.
   */
  static open(root: string | undefined, onNote: (text: string) => void): Sandbox {
    if (process.platform !== 'linux') {
      throw new UserError(`npm run isa: this system is ${process.platform}; Mesa's drm-shim needs Linux.`);
    }
    if (root === undefined && existsSync(join(LIBRARIES, 'libamdgpu_noop_drm_shim.so'))) {
      return new Sandbox(undefined);
    }
    const folder = root ?? DEFAULT_ROOT;
    if (!existsSync(folder)) {
      onNote(`making a Debian with ${PACKAGES.join(', ')} in ${folder}`);
      debootstrap(folder);
    }
    if (!existsSync(join(folder, LIBRARIES, 'libamdgpu_noop_drm_shim.so'))) {
      throw new UserError(
        `${folder}: mesa-drm-shim is not installed there; remove the folder, or name another with --root.`,
      );
    }
    return new Sandbox(folder);
  }

  /**
   * Starts node in the project's folder, with a target's driver. Standard error goes to an open file: a driver drops
   * what a pipe does not take at once.
   */
  node(
    target: Target,
    env: Readonly<Record<string, string>>,
    args: readonly string[],
    stderr: number,
  ): ChildProcess {
    const top = process.cwd();
    const all = {
      ...{ HOME: '/root', PATH: '/usr/bin:/bin', XDG_RUNTIME_DIR: '/tmp', MESA_SHADER_CACHE_DISABLE: 'true' },
      LD_PRELOAD: join(LIBRARIES, target.shim),
      VK_DRIVER_FILES: join(MANIFESTS, target.icd),
      ...target.env,
      ...env,
    };
    const stdio: StdioOptions = ['ignore', 'pipe', stderr];
    if (this.#root === undefined) {
      return spawn(process.execPath, args, { cwd: top, env: all, stdio });
    }
    const assigned = Object.entries(all).map(([name, value]) => `${name}=${value}`);
    const modules = realpathSync('node_modules');
    const own = process.getuid!() === 0 ? [] : ['--map-root-user'];
    const enter = ['--mount', '--propagation', 'private', 'bash', '-c', ENTER, 'enter'];
    const command = [this.#root, top, modules, '-C', top, ...assigned, 'node', ...args];
    return spawn('unshare', [...own, ...enter, ...command], { stdio });
  }

  /** The version of Mesa's package; undefined on other systems than Debian. */
  mesa(): string | undefined {
    const status = join(this.#root ?? '/', 'var/lib/dpkg/status');
    const text = existsSync(status) ? readFileSync(status, 'utf8') : '';
    return /^Package: mesa-vulkan-drivers\n(?:.+\n)*?Version: (\S+)/m.exec(text)?.[1];
  }
}

function debootstrap(folder: string): void {
  const remedy = 'install mesa-drm-shim and mesa-vulkan-drivers on a Debian, or name such a root with --root';
  if (process.getuid!() !== 0) {
    throw new UserError(`${folder}: only root can make a Debian there; run it as root once, ${remedy}.`);
  }
  const args = ['--variant=minbase', `--include=${PACKAGES.join(',')}`, 'sid', folder];
  const { error, status } = spawnSync('debootstrap', args, { stdio: ['ignore', 'ignore', 'inherit'] });
  if (error || status !== 0) {
    const why = error ? 'debootstrap is not installed' : `debootstrap ended with ${status}`;
    throw new UserError(`${folder}: no Debian could be made there (${why}); ${remedy}.`);
  }
}
