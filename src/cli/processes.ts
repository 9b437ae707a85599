import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { isRecord } from '../formats/fields.ts';

/** Whether a process with this id exists, whoever owns it. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isRecord(error) && error['code'] === 'EPERM';
  }
}

/**
 * The start time of a process, as a text that no later process with the same id has; undefined if there is none, or
 * the system does not say. Linux: the boot's id and the ticks since boot, from /proc/PID/stat. macOS and the BSDs:
 * the second of the start, from ps. Windows: the start in units of 100 ns, from PowerShell.
 */
export function startOf(pid: number): string | undefined {
  try {
    if (process.platform === 'linux') {
      return linuxStart(pid);
    }
    if (process.platform !== 'win32') {
      return ask('ps', '-o', 'lstart=', '-p', `${pid}`);
    }
    return ask('powershell', '-NoProfile', '-Command', `(Get-Process -Id ${pid}).StartTime.ToFileTimeUtc()`);
  } catch {
    return undefined;
  }
}

/** Field 22 of /proc/PID/stat. The name, in parentheses, may contain anything; a zombie writes nothing any more. */
function linuxStart(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  return state === 'Z' ? 'a zombie' : `${boot} ${fields[18]}`;
}

/** Distinguishes containers with one host name: each numbers its processes separately. */
export function processSpace(): string {
  try {
    return process.platform === 'linux' ? readlinkSync('/proc/self/ns/pid') : '';
  } catch {
    return '';
  }
}

const ask = (program: string, ...args: string[]): string | undefined =>
  execFileSync(program, args, {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: 5000,
  }).trim() || undefined;
