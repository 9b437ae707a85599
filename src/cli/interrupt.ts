import { isatty } from 'node:tty';
import { writeLine } from './lines.ts';
import { OrphanWatch } from './orphan-watch.ts';

/** Exit codes of a program that a signal ended, as shells count them. */
export const SIGNAL_CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
type SignalName = keyof typeof SIGNAL_CODES;
const SIGNALS = Object.keys(SIGNAL_CODES) as SignalName[];

/** What a shell shows for a program whose reader went away (SIGPIPE). */
const CLOSED_PIPE = 141;
/** Something to mend. */
const UNWRITABLE = 2;

/** npm, the terminal and its shell all pass one signal on; what comes that soon after it is its echo. */
const ECHO_MS = 400;
/** Work that has nothing to keep may tidy up for so long. */
const GRACE_MS = 1000;

/**
 * What a signal does. `system`: ends the process at once, by the system's own hand, also while foreign text (a regular
 * expression, a template, 100 MB of JSON) keeps JavaScript from running. `end`: aborts, and ends the process a second
 * later at the latest. `keep`: aborts, and waits for what there is to keep; a second signal ends at once.
 */
export type Handling = 'system' | 'end' | 'keep';

/** What a command says and does when it is stopped. */
export interface Stopping {
  /** The first signal came, and there is something to keep. */
  onKeep?: () => void;
  /** The process ends without waiting any longer; leaves the terminal as it was found. */
  onEnd?: () => void;
}

/** What ends a command from outside: SIGINT, SIGTERM, SIGHUP, and a stdout that takes no more. */
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

  /** Hears from here on what happens to stdout and to the parent. */
  watch(): void {
    this.#terminal = [0, 1, 2].some((stream) => isatty(stream));
    process.stdout.on('error', (error: NodeJS.ErrnoException) => this.#lose(error));
    // Nobody is left to tell.
    process.stderr.on('error', () => undefined);
    this.#orphans = new OrphanWatch(() => this.#receive('SIGTERM', true));
  }

  /** What signals do from here on; once one has come nothing changes any more. */
  handle(handling: Handling, stopping?: Stopping): void {
    if (stopping) this.#stopping = stopping;
    if (this.#signal || handling === this.#handling) return;
    if (handling === 'system') for (const name of SIGNALS) process.off(name, this.#listener);
    else if (this.#handling === 'system') for (const name of SIGNALS) process.on(name, this.#listener);
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

  /** The exit code once something ended the command. */
  get exitCode(): number | undefined {
    if (this.#signal) return SIGNAL_CODES[this.#signal.name];
    return this.#lost && (this.#lost.code === 'EPIPE' ? CLOSED_PIPE : UNWRITABLE);
  }

  /** Whether stdout takes no more; tells so on stderr, once, and what became of the command. */
  tellLoss(outcome?: string): boolean {
    if (!this.#lost) return false;
    const rest = outcome === undefined ? ', so the command stopped; write it elsewhere.' : `. ${outcome}`;
    if (!this.#lossTold) writeLine(process.stderr, `${whyLost(this.#lost)}${rest}`);
    return (this.#lossTold = true);
  }

  /**
   * Ends the process with its exit code, unless nothing ended the command from outside. Node aborts (134) where it
   * cannot put a terminal back that is gone; SIGHUP by the system's own hand then says what happened.
   */
  leave(): void {
    if (this.exitCode === undefined) return;
    if (this.#terminal && (this.#signal?.name === 'SIGHUP' || this.#lost?.code === 'EIO')) {
      process.emit('exit', SIGNAL_CODES.SIGHUP);
      for (const name of SIGNALS) process.off(name, this.#listener);
      process.kill(process.pid, 'SIGHUP');
    }
    process.exit(this.exitCode);
  }

  /** Stdout takes no more, which ends the command as a signal does. */
  #lose(error: NodeJS.ErrnoException): void {
    // The terminal that SIGHUP speaks of is gone, too.
    if (this.#lost || this.#signal) return;
    this.#lost = error;
    if (this.#handling === 'keep') return this.#controller.abort();
    this.tellLoss();
    this.leave();
  }

  #receive(name: SignalName, orphaned = false): void {
    if (this.#signal) {
      // A parent that died of the first signal is no second one.
      if (orphaned || performance.now() - this.#signal.at <= ECHO_MS) return;
      this.#signal = { name, at: performance.now() };
      return this.#end();
    }
    this.#signal = { name, at: performance.now() };
    this.#controller.abort();
    if (this.#handling === 'keep') this.#stopping.onKeep?.();
    else setTimeout(() => this.#end(), GRACE_MS).unref();
  }

  #end(): void {
    this.#stopping.onEnd?.();
    this.leave();
  }
}

function whyLost({ code }: NodeJS.ErrnoException): string {
  if (code === 'EPIPE') return 'stdout was closed by what reads it (EPIPE)';
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return `stdout cannot be written, since its disk is full (${code})`;
  return `stdout cannot be written (${code})`;
}

/** This process's. */
export const interrupt = new Interrupt();
