import { randomUUID } from 'node:crypto';
import { lstatSync, readFileSync, rmdirSync, unlinkSync } from 'node:fs';
import { link, open, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { isRecord } from '../formats/fields.ts';
import { parseJson } from '../formats/json.ts';
import { quote, shorten } from '../formats/quote.ts';
import { UserError } from '../formats/user-error.ts';
import { encodeUtf8 } from '../formats/utf8.ts';
import { hiddenName, makeFolder, onDisk, partialName, sizeOf, writeDurably } from './durable-files.ts';
import { READ } from './node-files.ts';
import { isRunning, processSpace, startOf } from './processes.ts';
import { errorCode, linkTarget, notOpened } from './stats.ts';

/** The file in an output, or the end of its name beside one, that says who writes there. */
const LOCK = '.retune.lock';
/** Maximum bytes read from a lock: many times its size. */
const MAX_BYTES = 2 ** 16;

/** Tokens of the locks that this process holds: any other lock of its own is one it failed to delete. */
const HELD = new Set<string>();

/** The holder of a lock. */
interface Holder {
  pid: number;
  host: string;
  /** When the process started (startOf): its id alone may belong to another by now. */
  start?: string | undefined;
  /** The space in which its id is valid (processSpace). */
  space: string;
  /** When the lock was taken, for display. */
  since: string;
  /** Unique to this lock. */
  token: string;
}

/**
 * Only one command at a time writes into an output. The lock appears atomically with its content; one left by a dead
 * process of this host is taken over, another host's never. Also released when the process exits.
 */
export class OutputLock {
  readonly #output: string;
  readonly #path: string;
  /** What writes there, for messages. */
  readonly #kind: string;
  readonly #mine = holder();
  readonly #onExit = () => this.release();
  /** Whether the lock may be in place. */
  #held = false;
  /** Folders created for the lock, the innermost first. */
  #made: string[] = [];
  #taken: Promise<void> | undefined;

  constructor(output: string, path = join(output, LOCK), kind = 'run') {
    this.#output = output;
    this.#path = path;
    this.#kind = kind;
  }

  /** The lock of a file or folder that appears all at once: it lies beside that. `kind` is what writes there. */
  static beside(output: string, kind: string): OutputLock {
    return new OutputLock(output, hiddenName(output, LOCK.slice(1)), kind);
  }

  /** Throws UserError if another command holds the lock, or may hold it. Takes nothing. */
  async check(): Promise<void> {
    const held = await read(this.#path);
    if (held && !isGone(held)) {
      throw this.#refusal(held);
    }
  }

  /** Takes the lock, once. Throws UserError. */
  take(): Promise<void> {
    return (this.#taken ??= this.#take());
  }

  /** Releases the lock, and removes the folder created for it if it holds nothing else. */
  release(): void {
    process.off('exit', this.#onExit);
    try {
      if (this.#held && this.#isMine()) {
        unlinkSync(this.#path);
      }
      for (const folder of this.#made) {
        rmdirSync(folder);
      }
    } catch {
      // Somebody deleted the lock, or the folder holds a run by now.
    }
    this.#held = false;
    HELD.delete(this.#mine.token);
    this.#made = [];
  }

  /** Anything else in the lock's place is not read: opening a pipe would wait for a writer. */
  #isMine(): boolean {
    if (!lstatSync(this.#path, { throwIfNoEntry: false })?.isFile()) {
      return false;
    }
    return parse(readFileSync(this.#path, 'utf8'))?.token === this.#mine.token;
  }

  async #take(): Promise<void> {
    process.once('exit', this.#onExit);
    await onDisk(this.#path, sizeOf(contentOf(this.#mine)), async () => {
      for (let tries = 0; ; tries++) {
        this.#made = [...(await makeFolder(dirname(this.#path))), ...this.#made];
        this.#held = true;
        HELD.add(this.#mine.token);
        try {
          return await this.#acquire(this.#path);
        } catch (error) {
          // The previous holder removed its empty folder, or what was being written there.
          if (errorCode(error) === 'ENOENT' && tries < 5) {
            continue;
          }
          // The failure may have come after the lock was in place.
          this.release();
          throw error;
        }
      }
    });
  }

  /**
   * If two processes find the same dead lock, a second lock beside the first decides: only its holder replaces the
   * dead one, after checking it again. If that holder dies in turn, the same applies to its lock.
   */
  async #acquire(path: string): Promise<void> {
    while (!(await create(path, this.#mine))) {
      const found = await read(path);
      if (!found) {
        continue;
      }
      if (!isGone(found)) {
        throw this.#refusal(found);
      }
      const takeover = `${path}.takeover`;
      await this.#acquire(takeover);
      try {
        if ((await read(path))?.token !== found.token) {
          continue;
        }
        const partial = partialName(path);
        await writeDurably(partial, contentOf(this.#mine));
        return await rename(partial, path);
      } finally {
        await rm(takeover, { force: true });
      }
    }
  }

  #refusal(held: Holder): UserError {
    const who = `another ${this.#kind} writes there, ${name(held)}`;
    return new UserError(
      isHere(held)
        ? `${this.#output}: ${who}; wait for it, stop it, or choose another --output.`
        : `${this.#output}: ${who}, which cannot be asked from here; choose another --output, or delete ${this.#path} if that ${this.#kind} is gone.`,
    );
  }
}

/** A note about the run that writes into a folder; undefined if there is none. Throws UserError. */
export async function lockFacts(folder: string): Promise<string | undefined> {
  const path = join(folder, LOCK);
  const held = await read(path);
  if (!held) {
    return undefined;
  }
  if (isGone(held)) {
    return `${name(held)} left its lock there and is gone; the next run takes it over`;
  }
  if (isHere(held)) {
    return `${name(held)} writes there`;
  }
  return `${name(held)} writes there, unless it is gone, which cannot be seen from here; then delete ${path}`;
}

const name = ({ pid, host, since }: Holder): string =>
  `process ${pid} on the host ${quote(host)} since ${shorten(since)}`;

function holder(): Holder {
  return {
    pid: process.pid,
    host: hostname(),
    start: startOf(process.pid),
    space: processSpace(),
    since: new Date().toISOString(),
    token: randomUUID(),
  };
}

const contentOf = (holder: Holder): [Uint8Array] => [encodeUtf8(`${JSON.stringify(holder, null, 2)}\n`)];

const isHere = ({ host, space }: Holder): boolean => host === hostname() && space === processSpace();

/** Whether its process is known to be gone: this can be known only for this host. */
function isGone(held: Holder): boolean {
  if (!isHere(held)) {
    return false;
  }
  if (held.pid === process.pid) {
    return !HELD.has(held.token);
  }
  if (!isRunning(held.pid)) {
    return true;
  }
  const start = startOf(held.pid);
  return held.start !== undefined && start !== undefined && start !== held.start;
}

/** Puts a complete lock in place; false if there is one. */
async function create(path: string, mine: Holder): Promise<boolean> {
  const partial = partialName(path);
  try {
    await writeDurably(partial, contentOf(mine));
    await link(partial, path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') {
      return false;
    }
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL', 'EMLINK'].includes(errorCode(error) ?? '')) {
      throw error;
    }
  } finally {
    await rm(partial, { force: true });
  }
  // On a file system without hard links, the file exists a moment before its content.
  try {
    const file = await open(path, 'wx');
    try {
      for (const chunk of contentOf(mine)) {
        await file.writeFile(chunk);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') {
      return false;
    }
    throw error;
  }
}

/** The text of a lock; undefined if there is none, and empty if something else has its name. Throws UserError. */
async function textOf(path: string): Promise<string | undefined> {
  try {
    const file = await open(path, READ);
    try {
      const info = await file.stat();
      return info.isFile() && info.size <= MAX_BYTES ? await file.readFile('utf8') : '';
    } finally {
      await file.close();
    }
  } catch (error) {
    // A dangling or circular link, or a socket.
    const code = errorCode(error) ?? '';
    if (code === 'ELOOP' || code === 'ENXIO' || (await linkTarget(path)) !== undefined) {
      return '';
    }
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      return undefined;
    }
    throw notOpened(dirname(path), error);
  }
}

/** The holder of a lock; undefined if there is none. Throws UserError if it does not say. */
async function read(path: string): Promise<Holder | undefined> {
  for (let tries = 0; ; tries++) {
    const text = await textOf(path);
    if (text === undefined) {
      return undefined;
    }
    const held = parse(text);
    if (held) {
      return held;
    }
    if (tries === 5) {
      throw new UserError(
        `${path}: this lock does not say which run holds it; delete it if no run writes there, or choose another --output.`,
      );
    }
    await wait(100);
  }
}

function parse(text: string): Holder | undefined {
  let json: unknown;
  try {
    json = parseJson(text);
  } catch {
    return undefined;
  }
  const { pid, host, start, space, since, token } = isRecord(json) ? json : {};
  const texts = [host, space, since, token].every((value) => typeof value === 'string');
  if (!texts || !Number.isSafeInteger(pid) || (pid as number) <= 0) {
    return undefined;
  }
  if (start !== undefined && typeof start !== 'string') {
    return undefined;
  }
  return { pid, host, start, space, since, token } as Holder;
}
