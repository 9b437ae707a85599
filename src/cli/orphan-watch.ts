import { Worker } from 'node:worker_threads';

const LOOK_MS = 300;

/**
 * Runs beside the main thread, which may be busy. `answered[0]`: whether the main thread decides what becomes of an
 * orphan.
 */
const WATCH = `
  const { parentPort, workerData: { parent, answered } } = require('node:worker_threads');
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    if (Atomics.load(answered, 0) === 1) parentPort.postMessage('orphaned');
    else process.kill(process.pid, 'SIGTERM');
  }, ${LOOK_MS});
`;

/**
 * npm's shell dies of a SIGTERM without forwarding it; the process then has a new parent. Only processes started by
 * npm are watched: others may well outlive their parent.
 */
export class OrphanWatch {
  readonly #answered = new Int32Array(new SharedArrayBuffer(4));

  constructor(onOrphaned: () => void) {
    if (process.env.npm_lifecycle_event === undefined || process.platform === 'win32') {
      return;
    }
    const workerData = { parent: process.ppid, answered: this.#answered };
    const worker = new Worker(WATCH, { eval: true, workerData });
    worker.once('message', onOrphaned);
    worker.unref();
  }

  /** Whether the main thread handles signals itself. */
  answered(answered: boolean): void {
    Atomics.store(this.#answered, 0, Number(answered));
  }
}
