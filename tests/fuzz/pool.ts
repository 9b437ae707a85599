import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { build } from 'vite';
import { LIMIT_MS, now, spent, type Verdict } from './judge.ts';

/** Inputs [begin, end) of a list. */
export interface Job {
  readonly inputs: string;
  readonly begin: number;
  readonly end: number;
}

export type Report = { kind: 'verdict'; at: number; verdict: Verdict } | { kind: 'done' };

/** What a thread records before each input, where the watchdog sees it. */
export interface Shared {
  readonly index: Int32Array;
  /** When it began, as a `Moment`'s wall and cpu; wall is 0 between inputs. */
  readonly began: Float64Array;
}

/** CPU time for an input before its thread is terminated, including a second try. */
const PATIENCE_MS = 3 * LIMIT_MS;
/** The same in wall-clock time, for an input that waits forever without computing. */
const WAIT_MS = 60_000;
const HEAP_MIB = 1024;
const CHUNK = 100;

/** Threads that read inputs, each replaced when an input hangs or kills it. */
export class Pool {
  readonly #folder = mkdtempSync(join(tmpdir(), 'retune-fuzz-'));
  readonly #built: Promise<unknown>;
  readonly #threads: number;
  readonly #idle: Thread[] = [];

  constructor(threads: number) {
    this.#threads = threads;
    // Threads cannot run TypeScript: this is the worker with all that it reads, in one file.
    this.#built = build({
      configFile: false,
      publicDir: false,
      logLevel: 'error',
      ssr: { noExternal: true },
      build: {
        ssr: 'tests/fuzz/worker.ts',
        outDir: this.#folder,
        target: 'node20',
        minify: false,
        rollupOptions: { output: { entryFileNames: 'worker.mjs' } },
      },
    });
  }

  /** The verdicts of the inputs [begin, end) of a list, as they come; of each `every` chunks only the first. */
  async judge(
    inputs: string,
    begin: number,
    end: number,
    onVerdict: (at: number, verdict: Verdict) => void,
    every = 1,
  ): Promise<void> {
    await this.#built;
    let next = begin;
    const work = async (): Promise<void> => {
      while (next < end) {
        const job = { inputs, begin: next, end: Math.min(end, next + CHUNK) };
        next += every * CHUNK;
        await this.#whole(job, onVerdict);
      }
    };
    await Promise.all(Array.from({ length: this.#threads }, work));
  }

  /** Ends all threads. */
  async close(): Promise<void> {
    await Promise.all(this.#idle.map((thread) => thread.end()));
    rmSync(this.#folder, { recursive: true });
  }

  /** Runs a job to its end, past the inputs that end a thread. */
  async #whole(job: Job, onVerdict: (at: number, verdict: Verdict) => void): Promise<void> {
    let { begin } = job;
    while (begin < job.end) {
      const thread = this.#idle.pop() ?? new Thread(join(this.#folder, 'worker.mjs'));
      const fatal = await thread.run({ ...job, begin }, onVerdict);
      if (!fatal) {
        this.#idle.push(thread);
        return;
      }
      onVerdict(fatal.at, { outcome: 'failed', detail: fatal.why, ms: fatal.ms });
      begin = fatal.at + 1;
    }
  }
}

/** One thread and its watchdog. */
class Thread {
  readonly #worker: Worker;
  readonly #shared: Shared;
  readonly #ended: Promise<string>;

  constructor(file: string) {
    this.#shared = {
      index: new Int32Array(new SharedArrayBuffer(4)),
      began: new Float64Array(new SharedArrayBuffer(16)),
    };
    this.#worker = new Worker(file, {
      workerData: this.#shared,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB },
    });
    this.#ended = new Promise((resolve) => {
      this.#worker.once('error', (error) => resolve(`it ended the thread: ${error.stack ?? String(error)}`));
      this.#worker.once('exit', () => resolve('it hangs'));
    });
  }

  end(): Promise<number> {
    return this.#worker.terminate();
  }

  /** Runs a job; reports the input that ended the thread. */
  async run(
    job: Job,
    onVerdict: (at: number, verdict: Verdict) => void,
  ): Promise<{ at: number; why: string; ms: number } | undefined> {
    const { index, began } = this.#shared;
    index[0] = job.begin;
    const watchdog = setInterval(() => {
      const since = { wall: began[0]!, cpu: began[1]! };
      if (since.wall === 0) {
        return;
      }
      if (spent(since) <= PATIENCE_MS && now().wall - since.wall <= WAIT_MS) {
        return;
      }
      clearInterval(watchdog);
      void this.end();
    }, 100);
    const done = new Promise<undefined>((resolve) => {
      this.#worker.removeAllListeners('message');
      this.#worker.on('message', (report: Report) => {
        if (report.kind === 'done') {
          resolve(undefined);
        } else {
          onVerdict(report.at, report.verdict);
        }
      });
    });
    this.#worker.postMessage(job);
    const why = await Promise.race([done, this.#ended]);
    clearInterval(watchdog);
    return why === undefined
      ? undefined
      : { at: index[0], why, ms: began[0] === 0 ? 0 : now().wall - began[0]! };
  }
}
