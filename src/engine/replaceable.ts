import { proxy, wrap } from 'comlink';
import { UserError } from '../formats/user-error.ts';
import { transferSignals } from './abort-transfer.ts';
import type { Answer } from './answer.ts';

/** A canceled call that has not ended by then never will; its worker is replaced. */
const PATIENCE_MS = 500;

interface WorkerPlan<Api> {
  open: () => Worker;
  /** Calls that run as jobs and are lost with their worker. All others are repeated on the new worker. */
  work?: readonly (keyof Api)[];
  /** Jobs that no canceled call may take down with it; only `replace` ends them. */
  kept?: readonly (keyof Api)[];
}

/** A call that waits for its answer. */
interface Call {
  name: string;
  args: readonly unknown[];
  resolve: (value: unknown) => void;
  reject: (reason: unknown) => void;
}

type Callable = Record<string, (...args: unknown[]) => Promise<unknown>>;

const ENDED = 'The engine was ended while it worked on this; try again.';

/**
 * A worker that can be terminated and replaced at any moment, whatever it is stuck in. A call may have an AbortSignal
 * among its arguments: once that is aborted the call is over, with the signal's reason, and a worker that does not
 * return from it soon is replaced.
 */
export class ReplaceableWorker<Api extends object> {
  readonly api: Api;
  readonly #plan: WorkerPlan<Api>;
  readonly #calls = new Set<Call>();
  /** Canceled calls that the worker has not returned from yet. */
  readonly #leaving = new Map<Call, ReturnType<typeof setTimeout>>();
  #worker: Worker | undefined;
  #remote: Callable | undefined;

  constructor(plan: WorkerPlan<Api>) {
    transferSignals();
    this.#plan = plan;
    this.api = callable((name, args) => this.#call(name, args)) as Api;
  }

  /** Starts it, where no call has done so yet. */
  start(): void {
    this.#remote ??= this.#open();
  }

  #call(name: string, args: readonly unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const signal = args.find((arg) => arg instanceof AbortSignal);
      if (signal?.aborted) {
        return settle(signal.reason, resolve, reject);
      }
      const heard = (arg: unknown) => (typeof arg === 'function' ? this.#heard(arg, () => call) : arg);
      const call: Call = { name, args: args.map(heard), resolve, reject };
      this.#calls.add(call);
      this.#send(call);
      signal?.addEventListener('abort', () => this.#cancel(call, signal.reason), { once: true });
    });
  }

  /** Terminates the worker. Jobs under way are answered with `message`; all other calls are repeated. */
  replace(message = ENDED): void {
    this.#worker?.terminate();
    this.#worker = this.#remote = undefined;
    for (const patience of this.#leaving.values()) {
      clearTimeout(patience);
    }
    this.#leaving.clear();
    const before = [...this.#calls];
    this.start();
    for (const call of before) {
      if (has(this.#plan.work, call)) {
        this.#end(call, () => call.resolve(refused(message)));
      } else {
        this.#send(call);
      }
    }
  }

  #send(call: Call): void {
    const remote = (this.#remote ??= this.#open());
    const { name, args } = call;
    const ended = (how: () => void) => {
      if (this.#remote === remote) {
        this.#end(call, how);
      }
    };
    remote[name]!(...args).then(
      (value) => ended(() => call.resolve(value)),
      (error: unknown) => ended(() => call.reject(asThrown(error))),
    );
  }

  #end(call: Call, how: () => void): void {
    clearTimeout(this.#leaving.get(call));
    this.#leaving.delete(call);
    if (this.#calls.delete(call)) {
      how();
    }
  }

  #cancel(call: Call, reason: unknown): void {
    if (!this.#calls.delete(call)) {
      return;
    }
    settle(reason, call.resolve, call.reject);
    const patience = setTimeout(() => {
      this.#leaving.delete(call);
      if (![...this.#calls].some((other) => has(this.#plan.kept, other))) {
        this.replace();
      }
    }, PATIENCE_MS);
    this.#leaving.set(call, patience);
  }

  #open(): Callable {
    const worker = (this.#worker = this.#plan.open());
    let answered = false;
    worker.addEventListener('message', () => (answered = true), { once: true });
    worker.addEventListener('error', (event) => {
      // Without its script there is no worker, and nobody would ever answer.
      if (answered || worker !== this.#worker) {
        return;
      }
      const error = new Error(event.message || 'the engine could not be loaded');
      for (const call of [...this.#calls]) {
        this.#end(call, () => call.reject(error));
      }
    });
    return wrap(worker) as unknown as Callable;
  }

  /** Callbacks are called for as long as a call lasts, and no longer. */
  #heard(hear: unknown, call: () => Call): unknown {
    return proxy((...args: unknown[]) => {
      if (this.#calls.has(call())) {
        (hear as (...args: unknown[]) => void)(...args);
      }
    });
  }
}

const has = (names: readonly PropertyKey[] = [], { name }: Call): boolean => names.includes(name);

/** An object with every method. */
export function callable(call: (name: string, args: unknown[]) => unknown): object {
  // An `await` of the object itself must not take it for a promise.
  const method = (name: string) => (name === 'then' ? undefined : (...args: unknown[]) => call(name, args));
  return new Proxy({}, { get: (_, name) => method(String(name)) });
}

const refused = (sentence: string): Answer<never> => ({ ok: false, sentence });

/** Errors lose their class on the way from a worker: what the user is to read has it again. */
const asThrown = (error: unknown): unknown =>
  error instanceof Error && error.name === 'UserError' ? new UserError(error.message) : error;

/** What the user is to read becomes an answer; any other reason rejects. */
function settle(reason: unknown, resolve: (value: unknown) => void, reject: (reason: unknown) => void): void {
  if (reason instanceof UserError) {
    resolve(refused(reason.message));
  } else {
    reject(reason);
  }
}
