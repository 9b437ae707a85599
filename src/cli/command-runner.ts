import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Display } from './display.ts';
import { interrupt } from './interrupt.ts';
import { INVOCATION } from './package-root.ts';

/** Runs commands one after another, showing each as it would be typed; they receive this process's signals. */
export function commandRunner(display: Display): (args: readonly string[]) => Promise<number> {
  let child: ChildProcess | undefined;
  interrupt.handle('keep', { onEnd: () => child?.kill('SIGKILL') });
  interrupt.signal.addEventListener('abort', () => child?.kill(interrupt.received ?? 'SIGTERM'));
  return (args) =>
    new Promise((resolve, reject) => {
      if (interrupt.exitCode !== undefined) {
        return resolve(interrupt.exitCode);
      }
      display.line('');
      display.line(`> ${INVOCATION} ${args.join(' ')}`);
      child = spawn(process.execPath, [process.argv[1]!, ...args], { stdio: 'inherit' });
      child.once('error', reject);
      child.once('close', (code, signal) => resolve(code ?? interrupt.exitCode ?? codeOf(signal)));
    });
}

/** The exit code that a shell reports for a command that a signal ended. */
const codeOf = (signal: NodeJS.Signals | null): number =>
  signal === null ? 1 : 128 + constants.signals[signal];
