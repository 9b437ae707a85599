import { startEngine } from '../../../src/engine/client.ts';
import type {
  TestEvent,
  TestFiles,
  TestInputs,
  TestOutcome,
} from '../../../src/engine/protocol/comparison.ts';
import type {
  Answer,
  ChosenFile,
  ChosenFolder,
  ChosenInputs,
  EngineApi,
  RunOutcome,
} from '../../../src/engine/protocol/protocol.ts';
import { readAll } from '../../../src/formats/byte-source.ts';
import { sha256, sha256Chunks } from '../../../src/formats/sha256.ts';
import { decodeUtf8, encodeUtf8 } from '../../../src/formats/utf8.ts';
import { ownScript } from '../../../src/platform/own-script.ts';
import type { RunEvent } from '../../../src/run/events.ts';
import type { TrainingSpeed } from '../../../src/run/warm-up.ts';
import { BrowserRunStore } from '../../../src/storage/browser-run-store.ts';
import { bucketHome } from '../../../src/storage/bucket-mirror.ts';
import { entriesUnder, openDatabase, replaceEntries } from '../../../src/storage/database.ts';
import { openMirroredStore } from '../../../src/storage/mirrored-store.ts';
import { DEFAULT_DEVICE } from '../../support/device-settings.ts';
import breakableWorker from './breakable-worker.ts?worker&url';

type Ended = Answer<RunOutcome & { id: string }>;

/** What the tests reach through `page.evaluate`. */
export interface Bench {
  engine: EngineApi;
  events: RunEvent[];
  /** The run started last. */
  running: Promise<Ended> | undefined;
  /** Resolves when the run in progress has done this step. */
  reached(step: number): Promise<void>;
  inputs(): Promise<ChosenInputs>;
  /** The same files in the origin-private file system, behind handles. */
  inputsWithHandles(): Promise<ChosenInputs>;
  measureSpeed(): Promise<Answer<TrainingSpeed>>;
  start(inputs?: Promise<ChosenInputs>): void;
  resume(id: string, files?: ChosenInputs): void;
  chat(
    id: string,
    version: 'base' | 'v1' | 'v2',
    question: string,
  ): Promise<{ streamed: string; whole: string }>;
  /** Starts a test, or resumes the one with that id; stops it after this many answers. */
  test(
    what: TestInputs | { id: string; files?: TestFiles },
    stopAfter?: number,
  ): Promise<{ outcome: Answer<TestOutcome>; events: TestEvent[] }>;
  /** A file's bytes as base64. */
  base64(blob: Blob): Promise<string>;
  store(id: string): BrowserRunStore;
  storage: typeof storage;
  breakDevice(): void;
  /** The checkpoints of a run that `saveOnAndOn` wrote, and whether each holds what was written. */
  checkpointsLeft(id: string): Promise<{ step: number; sound: boolean }[]>;
  /** Writes checkpoints of this many bytes from a step on, keeping two, and reports each once it is acknowledged. */
  saveOnAndOn(id: string, step: number, bytes: number, acknowledge: (step: number) => void): Promise<never>;
}

const storage = { bucketHome, entriesUnder, openDatabase, openMirroredStore, replace: replaceEntries };

declare global {
  interface Window {
    bench: Bench;
  }
}

const engine = location.search.includes('breakable')
  ? startEngine(() => new Worker(ownScript(breakableWorker), { type: 'module' }))
  : startEngine();

const chosen = (id: string): File[] => [...(document.getElementById(id) as HTMLInputElement).files!];
const file = (id: string): ChosenFile => ({ file: chosen(id)[0]! });
const breaker = new BroadcastChannel('break');

const listen = (event: RunEvent) => {
  bench.events.push(event);
  if (event.type === 'step') {
    for (const hear of atStep) {
      hear(event.progress.step);
    }
  }
};
const atStep = new Set<(step: number) => void>();

const bench: Bench = {
  engine,
  events: [],
  running: undefined,
  reached: (step) =>
    new Promise((resolve) => {
      atStep.add((done) => {
        if (done >= step) {
          resolve();
        }
      });
    }),
  async inputs() {
    const recipe = await engine.parseRecipe(chosen('recipe')[0]!);
    if (!recipe.ok) {
      throw new Error(recipe.sentence);
    }
    return {
      base: { name: 'base', files: chosen('base') },
      source: { name: 'v1', files: chosen('source') },
      train: file('train'),
      validation: file('validation'),
      recipe: recipe.value.recipe,
    };
  },
  async inputsWithHandles() {
    const root = await navigator.storage.getDirectory();
    const put = async (folder: FileSystemDirectoryHandle, file: File): Promise<FileSystemFileHandle> => {
      const handle = await folder.getFileHandle(file.name, { create: true });
      const writable = await handle.createWritable();
      await writable.write(file);
      await writable.close();
      return handle;
    };
    const { base, source, train, validation, recipe } = await bench.inputs();
    const folder = async ({ name, files }: ChosenFolder): Promise<ChosenFolder> => {
      const handle = await root.getDirectoryHandle(name, { create: true });
      for (const file of files) {
        await put(handle, file);
      }
      return { name, files, handle };
    };
    const kept = async ({ file }: ChosenFile): Promise<ChosenFile> => ({
      file,
      handle: await put(root, file),
    });
    return {
      base: await folder(base),
      source: await folder(source!),
      train: await kept(train),
      validation: await kept(validation!),
      recipe,
    };
  },
  measureSpeed: async () => engine.measureSpeed(await bench.inputs(), DEFAULT_DEVICE, listen),
  start(inputs = bench.inputs()) {
    bench.running = inputs.then(async (inputs) => engine.start(inputs, DEFAULT_DEVICE, listen));
  },
  resume(id, files) {
    bench.running = engine.resume(id, files, DEFAULT_DEVICE, listen);
  },
  async chat(id, version, question) {
    let streamed = '';
    const hear = (text: string) => void (streamed += text);
    const sampling = { temperature: 0, topP: 1, maxNewTokens: 24, seed: 42, stop: [] };
    const messages = [{ role: 'user', content: question }] as const;
    const answer = await engine.chat(id, { version, messages, sampling, turn: 0 }, hear);
    return { streamed, whole: answer.ok ? answer.value.text : answer.sentence };
  },
  async test(what, stopAfter = Infinity) {
    const events: TestEvent[] = [];
    const hear = (event: TestEvent) => {
      events.push(event);
      const answers = events.filter(({ type }) => type === 'answer').length;
      if (event.type === 'answer' && answers === stopAfter) {
        void engine.stopTest();
      }
    };
    const outcome =
      'id' in what ? await engine.resumeTest(what.id, what.files, hear) : await engine.startTest(what, hear);
    return { outcome, events };
  },
  async base64(blob) {
    let binary = '';
    for (const byte of new Uint8Array(await blob.arrayBuffer())) {
      binary += String.fromCharCode(byte);
    }
    return btoa(binary);
  },
  storage,
  store: (id) => new BrowserRunStore(openMirroredStore(), id, 'test'),
  async checkpointsLeft(id) {
    const store = bench.store(id);
    const sound = async (step: number): Promise<boolean> => {
      const folder = await store.openCheckpoint(step);
      const weights = await folder.open('weights');
      const hash = await folder.open('hash');
      return !!weights && !!hash && (await sha256(weights)) === decodeUtf8(await readAll(hash));
    };
    const steps = await store.checkpoints();
    return Promise.all(steps.map(async (step) => ({ step, sound: await sound(step) })));
  },
  async saveOnAndOn(id, step, bytes, acknowledge) {
    const store = bench.store(id);
    for (; ; step++) {
      const weights = new Uint8Array(bytes).map((_, i) => (i * step) & 255);
      const hash = encodeUtf8(await sha256Chunks([weights]));
      await store.saveCheckpoint(step, { weights: [weights], hash: [hash] });
      acknowledge(step);
      for (const old of (await store.checkpoints()).slice(0, -2)) {
        await store.removeCheckpoint(old);
      }
    }
  },
  breakDevice: () => breaker.postMessage('break'),
};

window.bench = bench;
