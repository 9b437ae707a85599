import { isatty } from 'node:tty';
import { writeLine } from './lines.ts';
import { OrphanWatch } from './orphan-watch.ts';

/** Exit codes of a program ended by a signal, by shell convention. */
export const SIGNAL_CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
type SignalName = keyof typeof SIGNAL_CODES;
const SIGNALS = Object.keys(SIGNAL_CODES) as SignalName[];

/** Exit code of a program whose reader closed the pipe (SIGPIPE). */
const CLOSED_PIPE = 141;
/** Exit code for an error the user can fix. */
const UNWRITABLE = 2;

/** npm, the terminal and its shell all forward one signal; another within this many milliseconds is its echo. */
const ECHO_MS = 400;
/** Maximum milliseconds for cleaning up when there is nothing to save. */
const GRACE_MS = 1000;

/**
 * The effect of a signal. `system`: ends the process at once, by default action, even while untrusted text (a
 * regular expression, a template, 100 MB of JSON) keeps JavaScript from running. `end`: aborts, and ends the
 * process at most a second later. `keep`: aborts, and waits for what there is to save; a second signal ends at
 * once.
 */
export type Handling = 'system' | 'end' | 'keep';

/** What a command reports and does when it is stopped. */
export interface Stopping {
  /** The first signal arrived, and there is something to save. */
  onKeep?: () => void;
  /** The process ends without waiting any longer; restores the terminal. */
  onEnd?: () => void;
}

/** What ends a command from outside: SIGINT, SIGTERM, SIGHUP, and a stdout that accepts no more. */
export class Interrupt {
  readonly #controller = new AbortController();
  readonly #listener = (name: SignalName) => this.#receive(name);
  #orphans: OrphanWatch | undefined;
  #handling: Handling = 'system';
  #stopping: Stopping = {};
  #signal: { name: SignalName; at: number } | undefined;
  #lost: NodeJS.ErrnoException | undefined;
  #lossTold = false;
  #terminal = false;

  /** Starts watching stdout and the parent process. */
  watch(): void {
    this.#terminal = [0, 1, 2].some((stream) => isatty(stream));
    process.stdout.on('error', (error: NodeJS.ErrnoException) => this.#lose(error));
    // There is nobody left to report to.
    process.stderr.on('error', () => undefined);
    this.#orphans = new OrphanWatch(() => this.#receive('SIGTERM', true));
  }

  /** Sets the effect of signals from here on; ignored once one has arrived. */
  handle(handling: Handling, stopping?: Stopping): void {
    if (stopping) {
      this.#stopping = stopping;
    }
    if (this.#signal || handling === this.#handling) {
      return;
    }
    if (handling === 'system') {
      for (const name of SIGNALS) {
        process.off(name, this.#listener);
      }
    } else if (this.#handling === 'system') {
      for (const name of SIGNALS) {
        process.on(name, this.#listener);
      }
    }
    this.#orphans?.answered(handling !== 'system');
    this.#handling = handling;
  }

  /** Aborted by the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get received(): SignalName | undefined {
    return this.#signal?.name;
  }

  /** The exit code if something ended the command. */
  get exitCode(): number | undefined {
    if (this.#signal) {
      return SIGNAL_CODES[this.#signal.name];
    }
    return this.#lost && (this.#lost.code === 'EPIPE' ? CLOSED_PIPE : UNWRITABLE);
  }

  /** Whether stdout accepts no more; if so, reports once on stderr why, and what became of the command. */
  tellLoss(outcome?: string): boolean {
    if (!this.#lost) {
      return false;
    }
    const rest = outcome === undefined ? ', so the command stopped; write it elsewhere.' : `. ${outcome}`;
    if (!this.#lossTold) {
      writeLine(process.stderr, `${whyLost(this.#lost)}${rest}`);
    }
    return (this.#lossTold = true);
  }

  /**
   * Ends the process with its exit code, unless nothing ended the command from outside. Node aborts (134) if it
   * cannot restore a terminal that is gone; SIGHUP's default action then reports what happened.
   */
  leave(): void {
    if (this.exitCode === undefined) {
      return;
    }
    if (this.#terminal && (this.#signal?.name === 'SIGHUP' || this.#lost?.code === 'EIO')) {
      process.emit('exit', SIGNAL_CODES.SIGHUP);
      for (const name of SIGNALS) {
        process.off(name, this.#listener);
      }
      process.kill(process.pid, 'SIGHUP');
    }
    process.exit(this.exitCode);
  }

  /** Stdout accepts no more, which ends the command like a signal. */
  #lose(error: NodeJS.ErrnoException): void {
    // The terminal whose loss SIGHUP reports is gone too.
    if (this.#lost || this.#signal) {
      return;
    }
    this.#lost = error;
    if (this.#handling === 'keep') {
      return this.#controller.abort();
    }
    this.tellLoss();
    this.leave();
  }

  #receive(name: SignalName, orphaned = false): void {
    if (this.#signal) {
      // A parent that died of the first signal does not count as a second one.
      if (orphaned || performance.now() - this.#signal.at <= ECHO_MS) {
        return;
      }
      this.#signal = { name, at: performance.now() };
      return this.#end();
    }
    this.#signal = { name, at: performance.now() };
    this.#controller.abort();
    if (this.#handling === 'keep') {
      this.#stopping.onKeep?.();
    } else {
      setTimeout(() => this.#end(), GRACE_MS).unref();
    }
  }

  #end(): void {
    this.#stopping.onEnd?.();
    this.leave();
  }
}

function whyLost({ code }: NodeJS.ErrnoException): string {
  if (code === 'EPIPE') {
    return 'stdout was closed by what reads it (EPIPE)';
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return `stdout cannot be written, since its disk is full (${code})`;
  }
  return `stdout cannot be written (${code})`;
}

/** The interrupt of this process. */
export const interrupt = new Interrupt();
