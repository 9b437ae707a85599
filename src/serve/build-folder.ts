import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isRunning } from '../cli/processes.ts';

/**
 * Where a start of this process builds its page: no other start, and no `npm run build`, may tear what is served from
 * there, nor a build that was killed pass for a whole one. Folders left by processes that have ended are removed.
 */
export function buildFolder(place = 'node_modules/.retune'): string {
  for (const name of existsSync(place) ? readdirSync(place) : []) {
    const pid = /^page-(\d+)$/.exec(name)?.[1];
    if (pid !== undefined && !isRunning(Number(pid))) {
      rmSync(join(place, name), { recursive: true, force: true });
    }
  }
  const own = join(place, `page-${process.pid}`);
  process.once('exit', () => rmSync(own, { recursive: true, force: true }));
  return own;
}
