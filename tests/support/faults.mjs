// A file layer that fails: the n-th operation on files under a folder is refused, cut short, or kills the process.
// Works on node:fs and node:fs/promises as a whole, so that nothing of the product knows of it.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { dirname, join } from 'node:path';

const { promises } = fs;
const original = { ...promises };
const originalSync = { ...fs };

/** Operations with a path, and what they do of their work where they are cut short. */
const WRITES = {
  mkdir: (path, options) => options?.recursive && original.mkdir(dirname(path), options),
  rename: undefined,
  rm: async (path) => {
    const names = await original.readdir(path).catch(() => []);
    for (const name of names.slice(0, Math.ceil(names.length / 2))) {
      await original.rm(join(path, name), { recursive: true });
    }
  },
  rmdir: undefined,
  unlink: undefined,
  link: undefined,
  symlink: undefined,
  copyFile: undefined,
  truncate: undefined,
  chmod: undefined,
  utimes: undefined,
  writeFile: (path, data) => original.writeFile(path, data.slice(0, data.length / 2)),
};
const READS = ['stat', 'lstat', 'access', 'readdir', 'realpath', 'readFile', 'statfs', 'readlink', 'opendir'];
const SYNC_WRITES = [
  'mkdirSync',
  'renameSync',
  'rmSync',
  'unlinkSync',
  'linkSync',
  'writeFileSync',
  'openSync',
];

/** Full disks refuse these for as long as they are full. */
const NEEDS_ROOM = new Set(['write', 'mkdir', 'open', 'writeFile', 'link', 'symlink', 'copyFile']);

/**
 * Counts the operations on what lies under `under`, reading or writing, and strikes the `at`-th (from 1), or so many
 * `times` from there on:
 *
 * - a code such as EIO: it is refused, with nothing done; with `lasting` all later ones that need room are, too
 * - late:EIO: it is done, and fails nevertheless
 * - short: half of it is done, then the disk is full
 * - SIGKILL: the process ends before it
 * - torn: the process ends half-way through it
 *
 * @param {{ under: string, kind?: 'write' | 'read', at?: number, fault?: string, lasting?: boolean, times?: number }} options
 * @returns {{ trace: { op: string, path: string }[], undo(): void }}
 */
export function injectFaults({ under, kind = 'write', at = 0, fault = 'EIO', lasting = false, times = 1 }) {
  const trace = [];
  const strikes = (op) =>
    at > 0 &&
    ((trace.length >= at && trace.length < at + times) ||
      (lasting && trace.length > at && NEEDS_ROOM.has(op)));
  const counts = (path) => at >= 0 && String(path).startsWith(under);
  const kill = () => {
    process.kill(process.pid, 'SIGKILL');
    return new Promise(() => undefined);
  };

  async function guarded(op, path, work, half) {
    if (!counts(path)) {
      return work();
    }
    trace.push({ op, path: String(path) });
    if (!strikes(op)) {
      return work();
    }
    if (fault === 'SIGKILL') {
      return kill();
    }
    if (fault === 'torn') {
      await half?.();
      return kill();
    }
    if (fault === 'short') {
      await half?.();
    }
    if (fault.startsWith('late:')) {
      await (await work())?.close?.();
    }
    throw refusal(fault === 'short' ? 'ENOSPC' : fault.replace('late:', ''), op, path);
  }

  const counted = (writes) => (kind === 'write') === writes;
  const guard = (name, half) => {
    promises[name] = (path, ...rest) => {
      // A file that is moved counts where it comes from or where it goes.
      const place = typeof rest[0] === 'string' && !counts(path) ? rest[0] : path;
      return guarded(name, place, () => original[name](path, ...rest), half && (() => half(path, ...rest)));
    };
  };
  if (kind === 'write') {
    for (const [name, half] of Object.entries(WRITES)) {
      guard(name, half);
    }
    for (const name of SYNC_WRITES) {
      fs[name] = (path, ...rest) => {
        const reads = name === 'openSync' && !writes(rest[0]);
        if (!reads && counts(path)) {
          const op = name.replace('Sync', '');
          trace.push({ op, path: String(path) });
          if (strikes(op)) {
            if (fault === 'SIGKILL' || fault === 'torn') {
              process.kill(process.pid, 'SIGKILL');
            }
            if (fault.startsWith('late:')) {
              originalSync[name](path, ...rest);
            }
            throw refusal(fault === 'short' ? 'ENOSPC' : fault.replace('late:', ''), op, path);
          }
        }
        return originalSync[name](path, ...rest);
      };
    }
  } else {
    for (const name of READS) {
      guard(name);
    }
  }

  promises.open = async (path, flags = 'r', ...rest) => {
    const opening = () => original.open(path, flags, ...rest);
    const file = counted(writes(flags)) ? await guarded('open', path, opening) : await opening();
    const guardCall = (name, op, half) => {
      const call = file[name].bind(file);
      file[name] = (...args) => guarded(op, path, () => call(...args), half && (() => half(call, ...args)));
    };
    if (kind === 'write') {
      const half = (call, data, ...more) => {
        const whole = Buffer.from(data);
        return call(whole.subarray(0, Math.floor(whole.length / 2)), ...more);
      };
      guardCall('writeFile', 'write', half);
      guardCall('write', 'write', half);
      guardCall('sync', 'fsync');
      guardCall('datasync', 'fsync');
      guardCall('truncate', 'truncate');
    } else {
      guardCall('read', 'read');
      guardCall('readFile', 'read');
      guardCall('stat', 'stat');
    }
    return file;
  };
  syncBuiltinESMExports();

  return {
    trace,
    undo() {
      // Files that are still open stay with their guards.
      at = -1;
      Object.assign(promises, original);
      for (const name of SYNC_WRITES) {
        fs[name] = originalSync[name];
      }
      syncBuiltinESMExports();
    },
  };
}

const writes = (flags) => (typeof flags === 'number' ? (flags & 3) !== 0 : /[wa+]/.test(flags ?? 'r'));

const refusal = (code, syscall, path) =>
  Object.assign(new Error(`${code}: injected, ${syscall} '${path}'`), { code, syscall, path: String(path) });
