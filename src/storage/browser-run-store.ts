import { get, type UseStore } from 'idb-keyval';
import { blobSource } from '../formats/blob-source.ts';
import type { Folder } from '../formats/byte-source.ts';
import { parseJsonFile } from '../formats/json.ts';
import { parseTrainerState } from '../formats/trainer-state.ts';
import type { Files, RunStore } from '../run/checkpoint/store.ts';
import { keysUnder, replaceEntries, under, valuesUnder } from './database.ts';
import { withinQuota } from './quota.ts';
import { runKeys } from './run-keys.ts';
import { takenStep } from './run-records.ts';

/** What is known of a checkpoint without opening it. Written in one transaction with the checkpoint's files. */
export interface CheckpointManifest {
  step: number;
  files: Readonly<Record<string, number>>;
  /** Total bytes of its files. */
  bytes: number;
  /** The latest logged training loss. */
  loss: number | undefined;
  /** Whether it is kept only until the next checkpoint is written. */
  rescue: boolean;
}

const REMEDY = 'the browser has lost it, so resume from an earlier checkpoint';
/** What to do once there is space again. */
const GO_ON = 'resume from the last checkpoint';

/** A run in the browser's database. */
export class BrowserRunStore implements RunStore {
  readonly name: string;
  readonly startAgain = 'delete this run and start a new one';
  readonly #store: UseStore;
  readonly #id: string;
  readonly #keys: ReturnType<typeof runKeys>;

  constructor(store: UseStore, id: string, name: string) {
    this.#store = store;
    this.#id = id;
    this.#keys = runKeys(id);
    this.name = name;
  }

  async checkpoints(): Promise<number[]> {
    return (await this.manifests()).map(({ step }) => step);
  }

  /** Ascending by step. */
  async manifests(): Promise<CheckpointManifest[]> {
    const found = await valuesUnder<CheckpointManifest>(this.#store, this.#keys.manifests);
    return found.toSorted((a, b) => a.step - b.step);
  }

  checkpointName(step: number): string {
    return `checkpoint-${step}`;
  }

  openCheckpoint(step: number): Promise<Folder> {
    return Promise.resolve(this.#folder(this.checkpointName(step), this.#keys.checkpoint(step)));
  }

  async saveCheckpoint(step: number, files: Files, rescue = false): Promise<void> {
    const manifest = { ...manifestOf(step, files), rescue };
    const entries = [
      ...blobEntries(this.#keys.checkpoint(step), files),
      [this.#keys.manifest(step), manifest] as const,
    ];
    const taken = await takenStep(this.#store, this.#id);
    const replaced = (await this.manifests())
      .filter((earlier) => earlier.rescue && earlier.step !== taken)
      .map((m) => m.step);
    const gone = [step, ...replaced].flatMap((old) => this.#partsOf(old));
    const work = () => replaceEntries(this.#store, gone, entries);
    await withinQuota(this.checkpointName(step), manifest.bytes, work, GO_ON);
  }

  /** One that the user took as the result stays. */
  async removeCheckpoint(step: number): Promise<void> {
    if (step !== (await takenStep(this.#store, this.#id))) {
      await replaceEntries(this.#store, this.#partsOf(step), []);
    }
  }

  #partsOf(step: number): (string | IDBKeyRange)[] {
    return [under(this.#keys.checkpoint(step)), this.#keys.manifest(step)];
  }

  openResult(): Promise<Folder> {
    return Promise.resolve(this.#folder(this.name, this.#keys.result));
  }

  /** All files in one transaction, so that no file has to be the last. */
  async saveResult(files: Files): Promise<void> {
    const prefix = this.#keys.result;
    const work = () => replaceEntries(this.#store, [under(prefix)], blobEntries(prefix, files));
    await withinQuota('The finished adapter', bytesOf(files), work, GO_ON);
  }

  unfinish(last: string): Promise<void> {
    return replaceEntries(this.#store, [this.#keys.result + last], []);
  }

  openLogs(): Promise<Folder> {
    return Promise.resolve(this.#folder('logs', this.#keys.logs));
  }

  async writeLog(file: string, bytes: Uint8Array): Promise<void> {
    const entries = blobEntries(this.#keys.logs, { [file]: [bytes] });
    const work = () => replaceEntries(this.#store, [], entries);
    await withinQuota(`logs/${file}`, bytes.length, work, GO_ON);
  }

  async removeLogs(ours: RegExp): Promise<void> {
    const prefix = this.#keys.logs;
    const keys = await keysUnder(this.#store, prefix);
    const gone = keys.filter((key) => ours.test(key.slice(prefix.length)));
    if (gone.length > 0) {
      await replaceEntries(this.#store, gone, []);
    }
  }

  #folder(name: string, prefix: string): Folder {
    return {
      name,
      list: async () => (await keysUnder(this.#store, prefix)).map((key) => key.slice(prefix.length)),
      open: async (file) => {
        const blob = await get<Blob>(prefix + file, this.#store);
        return blob && blobSource(`${name}/${file}`, blob, REMEDY);
      },
    };
  }
}

function blobEntries(prefix: string, files: Files): (readonly [string, Blob])[] {
  return Object.entries(files).map(([name, chunks]) => [
    prefix + name,
    new Blob(chunks as readonly Uint8Array<ArrayBuffer>[] as Uint8Array<ArrayBuffer>[]),
  ]);
}

function manifestOf(step: number, files: Files): Omit<CheckpointManifest, 'rescue'> {
  const sizes = Object.entries(files).map(([name, chunks]) => [name, sizeOf(chunks)] as const);
  return { step, files: Object.fromEntries(sizes), bytes: bytesOf(files), loss: lossOf(files) };
}

function lossOf({ 'trainer_state.json': chunks }: Files): number | undefined {
  if (!chunks) {
    return undefined;
  }
  const decoder = new TextDecoder();
  const text = chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join('');
  const { log_history: log } = parseTrainerState(
    parseJsonFile(text, 'trainer_state.json'),
    'trainer_state.json',
  );
  return log.findLast((entry) => entry.loss !== undefined)?.loss;
}

const sizeOf = (chunks: readonly Uint8Array[]): number => chunks.reduce((sum, { length }) => sum + length, 0);

const bytesOf = (files: Files): number =>
  Object.values(files).reduce((sum, chunks) => sum + sizeOf(chunks), 0);
