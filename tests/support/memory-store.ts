import { type Files, type RunStore, StorageFullError } from '../../src/run/checkpoint/store.ts';
import { joinBytes, type MemoryFiles, memoryFolder } from './memory-folder.ts';

/** A run store in memory: each checkpoint and the result as a map of whole files. */
export class MemoryStore implements RunStore {
  readonly name = 'memory';
  readonly startAgain = 'start again with --resume never, or choose another output';
  readonly saved = new Map<number, MemoryFiles>();
  readonly result: MemoryFiles = {};
  readonly logs: MemoryFiles = {};
  /** Whether it is full. */
  full = false;
  #rescue: number | undefined;

  checkpoints(): Promise<number[]> {
    return Promise.resolve([...this.saved.keys()].toSorted((a, b) => a - b));
  }

  checkpointName(step: number): string {
    return `checkpoint-${step}`;
  }

  openCheckpoint(step: number) {
    return Promise.resolve(memoryFolder(this.checkpointName(step), this.saved.get(step)!));
  }

  saveCheckpoint(step: number, files: Files, rescue = false): Promise<void> {
    if (this.full) {
      return Promise.reject(new StorageFullError(`checkpoint-${step}: no room; make some`));
    }
    if (this.#rescue !== undefined) {
      this.saved.delete(this.#rescue);
    }
    this.#rescue = rescue ? step : undefined;
    this.saved.set(step, whole(files));
    return Promise.resolve();
  }

  removeCheckpoint(step: number): Promise<void> {
    this.saved.delete(step);
    return Promise.resolve();
  }

  openResult() {
    return Promise.resolve(memoryFolder(this.name, this.result));
  }

  saveResult(files: Files): Promise<void> {
    Object.assign(this.result, whole(files));
    return Promise.resolve();
  }

  unfinish(last: string): Promise<void> {
    Reflect.deleteProperty(this.result, last);
    return Promise.resolve();
  }

  writeLog(file: string, bytes: Uint8Array): Promise<void> {
    if (this.full) {
      return Promise.reject(new StorageFullError(`${file}: no room; make some`));
    }
    this.logs[file] = bytes.slice();
    return Promise.resolve();
  }

  removeLogs(ours: RegExp): Promise<void> {
    for (const name of Object.keys(this.logs).filter((n) => ours.test(n))) {
      Reflect.deleteProperty(this.logs, name);
    }
    return Promise.resolve();
  }
}

function whole(files: Files): MemoryFiles {
  return Object.fromEntries(Object.entries(files).map(([name, chunks]) => [name, joinBytes(chunks)]));
}
