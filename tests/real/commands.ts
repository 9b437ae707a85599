import { spawn } from 'node:child_process';
import { createWriteStream, existsSync } from 'node:fs';
import { join } from 'node:path';

/** A Python with torch, transformers, peft, bitsandbytes, pyarrow, pyyaml and gguf. */
export const PYTHON = process.env.RETUNE_PYTHON;

/** Where everything is made and kept, so that a stage that is done is not done again; git ignores it. */
export const WORK = process.env.RETUNE_REAL ?? 'tests/.cache/real';

/** A command that Retune's own are put behind, such as one that enters a container with a Vulkan driver. */
const UNDER = (process.env.RETUNE_UNDER ?? '').split(' ').filter(Boolean);

export const at = (...parts: string[]): string => join(WORK, ...parts);
export const isMade = (...parts: string[]): boolean => existsSync(at(...parts));

/** Runs Retune's command line and resolves to its output, which also goes to a log beside what is made. */
export const retune = (log: string, ...args: string[]): Promise<string> =>
  run(log, [...UNDER, ...(UNDER.length > 0 ? ['node'] : [process.execPath]), 'src/cli/launch.mjs', ...args]);

/** The same on this machine itself, for commands that need no GPU. */
export const retuneHere = (log: string, ...args: string[]): Promise<string> =>
  run(log, [process.execPath, 'src/cli/launch.mjs', ...args]);

export const python = (log: string, ...args: string[]): Promise<string> => run(log, [PYTHON!, '-u', ...args]);

function run(log: string, [command, ...args]: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command!, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, OMP_NUM_THREADS: '1', HF_HUB_OFFLINE: '1', NO_COLOR: '1' },
    });
    const file = createWriteStream(at(`${log}.log`));
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      file.write(chunk);
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      file.write(chunk);
      stderr = (stderr + chunk.toString()).slice(-2000);
    });
    child.once('error', reject);
    child.once('close', (code) => {
      file.end();
      if (code === 0) {
        resolve(stdout);
      } else {
        reject(new Error(`${command} ${args.join(' ')} ended with ${code}: ${stderr}`));
      }
    });
  });
}
