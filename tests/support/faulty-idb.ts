import { IDBDatabase, IDBFactory, IDBObjectStore, IDBTransaction } from 'fake-indexeddb';

/** What the browser's database does wrong, at the `at`-th operation (from 1; 0 for none). */
export interface IdbFault {
  at: number;
  /**
   * A DOMException's name: the transaction is aborted with it. abort: without one. closing: the connection becomes
   * unusable. silent: there is never an answer. die: the page is gone, with everything not committed.
   */
  fault: string;
  /** All later operations fail too; for a full disk, those that need space. */
  lasting?: boolean;
}

/** The part of the internals in use. */
interface Internals {
  page?: FaultyPage;
  _start(): void;
  _abort(name: string | null): void;
  _markFinished(): void;
  _rollbackLog: (() => void)[];
  _requests: unknown[];
  _state: string;
  mode: IDBTransactionMode;
  db: { page?: FaultyPage };
}

const internals = (transaction: IDBTransaction) => transaction as unknown as Internals;

/** A page's view of databases, which survive it. */
export class FaultyPage {
  readonly trace: string[] = [];
  readonly #fault: IdbFault;
  readonly #open = new Set<IDBTransaction>();
  #dead = false;
  #died: () => void = () => undefined;
  /** Resolves when the page is gone. */
  readonly death = new Promise<void>((resolve) => (this.#died = resolve));

  constructor(fault: IdbFault = { at: 0, fault: 'abort' }) {
    this.#fault = fault;
    patch();
  }

  get dead(): boolean {
    return this.#dead;
  }

  /** Whether the fault has occurred. */
  get struck(): boolean {
    return this.#fault.at > 0 && this.trace.length >= this.#fault.at;
  }

  /** The databases behind `factory` as this page has them. */
  factory(factory: IDBFactory): IDBFactory {
    const open = (name: string, version?: number) => {
      const fault = this.strike('open');
      if (fault === 'silent' || this.#dead) {
        return {} as IDBOpenDBRequest;
      }
      if (fault !== undefined) {
        const error = new DOMException('injected', fault === 'abort' ? 'AbortError' : nameOf(fault));
        const request = { error } as { onerror?: () => void };
        queueMicrotask(() => request.onerror?.());
        return request as unknown as IDBOpenDBRequest;
      }
      const request = factory.open(name, version);
      const own = () => ((request.result as unknown as Internals).page = this);
      request.addEventListener('upgradeneeded', own);
      request.addEventListener('success', own);
      return request;
    };
    return { open } as unknown as IDBFactory;
  }

  /** Counts an operation; its fault, if it is struck. */
  strike(op: string): string | undefined {
    if (this.#dead) {
      return 'die';
    }
    this.trace.push(op);
    const { at, fault, lasting = false } = this.#fault;
    const lasts = lasting && (fault !== 'QuotaExceededError' || op.startsWith('put'));
    const hit = at > 0 && (this.trace.length === at || (lasts && this.trace.length > at));
    if (hit && fault === 'die') {
      this.#die();
    }
    return hit ? fault : undefined;
  }

  opened(transaction: IDBTransaction): void {
    this.#open.add(transaction);
    const forget = () => this.#open.delete(transaction);
    transaction.addEventListener('complete', forget);
    transaction.addEventListener('abort', forget);
  }

  #die(): void {
    this.#dead = true;
    for (const transaction of this.#open) {
      end(transaction);
    }
    this.#died();
  }
}

const nameOf = (fault: string): string => (fault === 'closing' ? 'InvalidStateError' : fault);

/** Ends a transaction without effect or notification. */
function end(transaction: IDBTransaction): void {
  const inner = internals(transaction);
  for (const undo of inner._rollbackLog.reverse()) {
    undo();
  }
  inner._rollbackLog = [];
  inner._requests = [];
  inner._start = () => undefined;
  inner._markFinished();
}

const silence = (transaction: IDBTransaction): void => {
  internals(transaction)._start = () => undefined;
};

let patched = false;

function patch(): void {
  if (patched) {
    return;
  }
  patched = true;
  const { transaction } = IDBDatabase.prototype;
  IDBDatabase.prototype.transaction = function (this: IDBDatabase, ...args) {
    const { page } = this as unknown as Internals;
    const fault = page?.strike(`transaction ${args[1] ?? 'readonly'}`);
    if (fault === 'closing') {
      throw new DOMException('The database connection is closing.', 'InvalidStateError');
    }
    const made = transaction.apply(this, args);
    if (fault === 'die') {
      end(made);
    } else if (fault === 'silent') {
      silence(made);
    } else {
      page?.opened(made);
      if (page && internals(made).mode === 'readwrite') {
        atCommit(page, made);
      }
      if (fault !== undefined) {
        soon(() => internals(made)._abort(fault === 'abort' ? null : fault));
      }
    }
    return made;
  };
  for (const op of ['get', 'put', 'delete', 'getAll', 'getAllKeys', 'clear'] as const) {
    const call = IDBObjectStore.prototype[op] as (...args: unknown[]) => IDBRequest;
    IDBObjectStore.prototype[op] = function (this: IDBObjectStore, ...args: unknown[]) {
      const { page } = internals(this.transaction).db;
      // Starting a new log takes many large writes of the same kind: one is enough here.
      const place = args[op === 'put' ? 1 : 0];
      if (/^filling\/[1-9]/.test(String(place))) {
        return {} as IDBRequest;
      }
      const key = (place as IDBKeyRange | undefined)?.lower ?? place ?? '';
      const fault = page?.dead ? 'die' : page?.strike(`${op} ${String(key)}`);
      if (fault === 'die') {
        return {} as IDBRequest;
      }
      const request = call.apply(this, args);
      if (fault === 'silent') {
        silence(this.transaction);
      }
      // A closing connection aborts its transactions.
      else if (fault !== undefined) {
        soon(() => internals(this.transaction)._abort(['abort', 'closing'].includes(fault) ? null : fault));
      }
      return request;
    } as never;
  }
}

/** Aborts happen to a transaction, not within the call that created it. */
const soon = (work: () => void): void => queueMicrotask(work);

/** A transaction may fail as late as its commit, as on a full disk. */
function atCommit(page: FaultyPage, transaction: IDBTransaction): void {
  const inner = internals(transaction);
  const start = inner._start.bind(inner);
  inner._start = () => {
    if (inner._requests.length > 0 || inner._state === 'finished') {
      return start();
    }
    const fault = page.strike('commit');
    if (fault === undefined) {
      start();
    } else if (fault === 'silent') {
      silence(transaction);
    } else if (fault !== 'die') {
      inner._abort(['abort', 'closing'].includes(fault) ? null : fault);
    }
  };
}

export { IDBFactory, IDBTransaction };
