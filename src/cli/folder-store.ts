import { readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Folder } from '../formats/byte-source.ts';
import type { Files, RunStore } from '../run/checkpoint/store.ts';
import {
  checkWritable,
  makeFolder,
  move,
  onDisk,
  partialName,
  remove,
  replaceFiles,
  sizeOf,
  syncFolder,
  writeDurably,
  type WriteFile,
} from './durable-files.ts';
import { nodeFolder } from './node-files.ts';
import type { OutputLock } from './output-lock.ts';
import { errorCode, notOpened, statsOf } from './stats.ts';

const CHECKPOINT = /^checkpoint-(\d+)$/;
/** What an interrupted write leaves behind, including a checkpoint that it was about to replace. */
const PARTIAL = /^\..+\.partial$/;
const REPLACED = /^\.(checkpoint-\d+)-replaced\.\d+\.partial$/;

/**
 * A run's output folder: `checkpoint-N/`, `logs/`, and the result's files beside them. Everything is written under
 * a hidden name, made durable and only then renamed, so that it is there whole or not at all, whenever the process
 * dies. The first write creates the folder.
 */
export class FolderStore implements RunStore {
  readonly name: string;
  readonly startAgain = 'start again with --resume never, or choose another output';
  readonly #write: WriteFile;
  readonly #lock: OutputLock | undefined;
  #owned: Promise<void> | undefined;

  private constructor(name: string, write: WriteFile, lock: OutputLock | undefined) {
    this.name = name;
    this.#write = write;
    this.#lock = lock;
  }

  /**
   * Opens an output. The first call that reads or writes takes `lock`, so that inputs refused before leave no
   * trace. Throws UserError if nothing can be written, or another run is writing.
   */
  static async open(path: string, write: WriteFile = writeDurably, lock?: OutputLock): Promise<FolderStore> {
    await checkWritable(path);
    await lock?.check();
    return new FolderStore(path, write, lock);
  }

  /** Takes the lock and removes what an interrupted write left. */
  #own(): Promise<void> {
    const own = async (): Promise<void> => {
      await this.#lock?.take();
      await clearUp(this.name);
    };
    return (this.#owned ??= own());
  }

  async checkpoints(): Promise<number[]> {
    await this.#own();
    return checkpointsIn(this.name);
  }

  async openCheckpoint(step: number): Promise<Folder> {
    await this.#own();
    return nodeFolder(this.checkpointName(step));
  }

  checkpointName(step: number): string {
    return join(this.name, `checkpoint-${step}`);
  }

  async saveCheckpoint(step: number, files: Files): Promise<void> {
    await this.#own();
    const place = this.checkpointName(step);
    const partial = partialName(place);
    const bytes = Object.values(files).reduce((sum, chunks) => sum + sizeOf(chunks), 0);
    const replaced = partialName(`${place}-replaced`);
    await onDisk(place, bytes, async () => {
      await remove(partial);
      await makeFolder(partial);
      try {
        for (const [name, chunks] of Object.entries(files)) {
          await this.#write(join(partial, name), chunks);
        }
        await syncFolder(partial);
        await remove(replaced);
        await move(place, replaced).catch(ignoreAbsent);
        await move(partial, place);
      } catch (error) {
        await move(replaced, place).catch(() => undefined);
        await remove(partial).catch(() => undefined);
        throw error;
      }
      await syncFolder(this.name);
      await remove(replaced);
    });
  }

  /** Removed by renaming it first, so that half a checkpoint never counts. */
  async removeCheckpoint(step: number): Promise<void> {
    await this.#own();
    const place = this.checkpointName(step);
    const doomed = partialName(`${place}-removed`);
    await onDisk(place, 0, async () => {
      await remove(doomed);
      await move(place, doomed).catch(ignoreAbsent);
      try {
        await syncFolder(this.name);
      } finally {
        await remove(doomed);
      }
    });
  }

  async openResult(): Promise<Folder> {
    await this.#own();
    return (await statsOf(this.name)) ? nodeFolder(this.name) : emptyFolder(this.name);
  }

  async saveResult(files: Files, last: string): Promise<void> {
    const { [last]: end, ...others } = files;
    await this.unfinish(last);
    const inOrder = [...Object.entries(others), ...(end ? [[last, end] as const] : [])];
    await replaceFiles(
      inOrder.map(([name, chunks]) => [join(this.name, name), chunks] as const),
      { write: this.#write },
    );
    // An earlier removal that failed may work now; otherwise the next start tries again.
    await clearUp(this.name).catch(() => undefined);
  }

  async unfinish(last: string): Promise<void> {
    await this.#own();
    const path = join(this.name, last);
    await onDisk(path, 0, () => unlink(path).catch(ignoreAbsent));
  }

  async writeLog(file: string, bytes: Uint8Array): Promise<void> {
    await this.#own();
    await replaceFiles([[join(this.name, 'logs', file), [bytes]]], { write: this.#write });
  }

  async removeLogs(ours: RegExp): Promise<void> {
    await this.#own();
    const folder = join(this.name, 'logs');
    for (const name of await list(folder)) {
      if (ours.test(name)) {
        await onDisk(folder, 0, () => unlink(join(folder, name)));
      }
    }
  }
}

/** Steps of the checkpoints in an output, ascending. Throws UserError. */
export async function checkpointsIn(output: string): Promise<number[]> {
  const steps = (await list(output)).map((name) => CHECKPOINT.exec(name)?.[1]);
  return steps
    .filter((step) => step !== undefined)
    .map(Number)
    .toSorted((a, b) => a - b);
}

/** Removes what interrupted writes left in an output. Throws UserError. */
async function clearUp(output: string): Promise<void> {
  for (const folder of [output, join(output, 'logs')]) {
    const names = await list(folder);
    for (const name of names.filter((n) => PARTIAL.test(n))) {
      await onDisk(folder, 0, async () => {
        const place = REPLACED.exec(name)?.[1];
        if (place !== undefined && !names.includes(place)) {
          await move(join(folder, name), join(folder, place));
        } else {
          await remove(join(folder, name));
        }
      });
    }
  }
}

/** The names in a folder; empty if it does not exist. Throws UserError. */
const list = (path: string): Promise<string[]> =>
  readdir(path).catch((error: unknown) => {
    if (errorCode(error) !== 'ENOENT') {
      throw notOpened(path, error);
    }
    return [];
  });

function ignoreAbsent(error: unknown): void {
  if (errorCode(error) !== 'ENOENT') {
    throw error;
  }
}

const emptyFolder = (name: string): Folder => ({
  name,
  list: () => Promise.resolve([]),
  open: () => Promise.resolve(undefined),
});
