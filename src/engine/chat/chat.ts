import { MAX_NEW_TOKENS } from '../../comparison/batch-test.ts';
import type { Folder } from '../../formats/byte-source.ts';
import { UserError } from '../../formats/user-error.ts';
import { GREEDY, RECIPE_SAMPLING } from '../../generate/sampling.ts';
import type { Gpu } from '../../gpu/device.ts';
import { LossWatch } from '../../gpu/with-device.ts';
import { NO_ADAPTER, requestGpu } from '../../platform/browser-gpu.ts';
import { CURSOR } from '../../run/checkpoint/checkpoint.ts';
import type { BrowserRunStore } from '../../storage/browser-run-store.ts';
import { folderOf } from '../files/files.ts';
import type { RunFiles } from '../files/inputs.ts';
import type { ChatOptions, ChatVersion } from '../protocol/protocol.ts';
import type { Runs } from '../runs/runs.ts';
import { type ChatModel, openChatModel } from './chat-model.ts';

interface Session {
  key: string;
  gpu: Gpu;
  model: ChatModel;
}

/** Answers questions with base, V1 or V2 of a run; the model stays on the device from one question to the next. */
export class Chat {
  readonly #runs: Runs;
  readonly #files: RunFiles;
  #session: Session | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #stop = new AbortController();

  constructor(runs: Runs, files: RunFiles) {
    this.#runs = runs;
    this.#files = files;
  }

  /** Streams an answer and resolves to the whole of it; questions wait for one another. Throws UserError. */
  ask(
    id: string,
    version: ChatVersion,
    question: string,
    onText: (text: string) => void,
    options: ChatOptions = {},
  ): Promise<string> {
    const turn = this.#turn.then(() => this.#ask(id, version, question, onText, options));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** Ends the answer that is being given. */
  stop(): void {
    this.#stop.abort();
  }

  /** Ends the answer that is being given and frees the device. */
  async close(): Promise<void> {
    this.stop();
    await this.#turn;
    this.#drop();
  }

  async #ask(
    id: string,
    version: ChatVersion,
    question: string,
    onText: (text: string) => void,
    options: ChatOptions,
  ): Promise<string> {
    this.#runs.checkIdle();
    this.#stop = new AbortController();
    const { gpu, model } = await this.#open(id, options);
    const losses = new LossWatch(({ name }, why) => {
      this.#drop();
      return new UserError(`${name} was lost (${why}); ask again.`);
    });
    losses.add(gpu);
    const answer = model.ask(question, {
      version,
      sampling: options.greedy ? GREEDY : RECIPE_SAMPLING,
      maxNewTokens: options.maxNewTokens ?? MAX_NEW_TOKENS,
      seed: 42,
      signal: this.#stop.signal,
      onText,
    });
    return losses.race(answer);
  }

  async #open(id: string, options: ChatOptions): Promise<Session> {
    const record = await this.#runs.record(id);
    const v2 = await latest(this.#runs.storeOf(record));
    const key = `${id} ${v2.name}`;
    if (this.#session?.key === key) {
      return this.#session;
    }
    this.#drop();
    const inputs = await this.#files.of(record, options.files);
    const gpu = await requestGpu();
    if (!gpu) {
      throw new UserError(NO_ADAPTER);
    }
    try {
      const v1 = inputs.source && folderOf(inputs.source);
      const model = await openChatModel(
        gpu,
        { base: folderOf(inputs.base), v1, v2 },
        record.recipe,
        this.#files.cache,
      );
      if (options.files) {
        this.#files.remember(id, options.files);
      }
      return (this.#session = { key, gpu, model });
    } catch (error) {
      gpu.close();
      throw error;
    }
  }

  #drop(): void {
    this.#session?.gpu.close();
    this.#session = undefined;
  }
}

/** The result, or the latest checkpoint of a run that has none yet. */
async function latest(store: BrowserRunStore): Promise<Folder> {
  const result = await store.openResult();
  if (await result.open(CURSOR)) {
    return result;
  }
  const step = (await store.checkpoints()).at(-1);
  if (step === undefined) {
    throw new UserError(`${store.name}: there is no checkpoint to ask yet; train until there is one.`);
  }
  return store.openCheckpoint(step);
}
