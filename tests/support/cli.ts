import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Tests neither fill the user's cache nor use what is in it. */
export const cacheHome = mkdtempSync(join(tmpdir(), 'retune-cache-'));
process.on('exit', () => rmSync(cacheHome, { recursive: true, force: true }));

export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs the built command line (the global setup builds it). */
export function retune(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<CommandResult> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['dist/cli/retune.js', ...args],
      { env: { ...process.env, XDG_CACHE_HOME: cacheHome, ...env }, maxBuffer: 2 ** 26 },
      (error, stdout, stderr) =>
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr }),
    );
  });
}
