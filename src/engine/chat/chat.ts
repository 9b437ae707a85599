import type { Folder } from '../../formats/byte-source.ts';
import { UserError } from '../../formats/user-error.ts';
import type { Gpu } from '../../gpu/device.ts';
import { LossWatch } from '../../gpu/with-device.ts';
import { NO_ADAPTER, requestGpu } from '../../platform/browser-gpu.ts';
import { CURSOR, readCursor } from '../../run/checkpoint/checkpoint.ts';
import { OutOfMemoryError } from '../../run/plan/memory-plan.ts';
import type { BrowserRunStore } from '../../storage/browser-run-store.ts';
import type { Conversations } from '../../storage/conversations.ts';
import type { StoredRun } from '../../storage/run-records.ts';
import { folderOf } from '../files/files.ts';
import type { RunFiles } from '../files/inputs.ts';
import type { ChatFacts, ChatReply, ChatRequest } from '../protocol/chat.ts';
import type { ChosenFolder } from '../protocol/protocol.ts';
import type { Runs } from '../runs/runs.ts';
import { type ChatModel, openChatModel } from './chat-model.ts';

interface Session {
  key: string;
  run: string;
  gpu: Gpu;
  model: ChatModel;
}

/** Answers with the versions of a run; the base stays on the device from one question to the next. */
export class Chat {
  readonly #runs: Runs;
  readonly #files: RunFiles;
  readonly #conversations: Conversations;
  #session: Session | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #stop = new AbortController();

  constructor(runs: Runs, files: RunFiles, conversations: Conversations) {
    this.#runs = runs;
    this.#files = files;
    this.#conversations = conversations;
  }

  /** Throws UserError where the run has nothing to ask yet. */
  async facts(id: string): Promise<ChatFacts> {
    const record = await this.#runs.record(id);
    const { prompt: form, system } = await readCursor(await latest(this.#runs.storeOf(record)));
    const lacks = (await this.#files.lacks(record)).filter((part) => part === 'base' || part === 'source');
    return { form, system, lacks, conversations: await this.#conversations.list(id) };
  }

  /** Streams an answer and resolves to the whole of it; questions wait for one another. Throws UserError. */
  ask(id: string, request: ChatRequest, onText: (text: string) => void): Promise<ChatReply> {
    const turn = this.#turn.then(() => this.#ask(id, request, onText));
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

  /** Frees the device of a run that is there no more: one imported in its place may be another. */
  async closeDeleted(): Promise<void> {
    if (this.#session && !(await this.#runs.records.get(this.#session.run))) {
      await this.close();
    }
  }

  async #ask(id: string, request: ChatRequest, onText: (text: string) => void): Promise<ChatReply> {
    this.#runs.checkIdle();
    const stop = (this.#stop = new AbortController());
    const { gpu, model } = await this.#open(id, request.files);
    const losses = new LossWatch(({ name }, why) => {
      this.#drop();
      return new UserError(`${name} was lost (${why}); ask again.`);
    });
    losses.add(gpu);
    const { version, messages, turn, sampling } = request;
    const { temperature, topP, maxNewTokens, seed, stop: texts } = sampling;
    const answer = model.ask(messages, {
      ...{ version, turn, maxNewTokens, seed, onText, stop: texts, signal: stop.signal },
      sampling: { temperature, topP, topK: 0, repetitionPenalty: 1 },
    });
    return losses.race(answer).catch((error: unknown) => {
      // What was allocated in part cannot be asked again.
      if (error instanceof OutOfMemoryError) {
        this.#drop();
      }
      throw error;
    });
  }

  async #open(id: string, given: ChatRequest['files'] = {}): Promise<Session> {
    const record = await this.#runs.record(id);
    const v2 = await latest(this.#runs.storeOf(record));
    const key = `${id} ${v2.name}`;
    if (this.#session?.key === key) {
      return this.#session;
    }
    this.#drop();
    const base = await reachable(() => this.#files.baseOf(record), given.base, record.inputs.base);
    const { source: from } = record.inputs;
    const v1 =
      from === undefined
        ? undefined
        : await reachable(() => this.#files.sourceOf(record), given.source, from);
    const gpu = await requestGpu();
    if (!gpu) {
      throw new UserError(NO_ADAPTER);
    }
    try {
      const folders = {
        base: folderOf(await this.#files.bases.resolved(base)),
        v1: v1 && folderOf(v1),
        v2,
        checkpoint: this.#checkpoint(record),
      };
      const model = await openChatModel(gpu, folders, record.recipe, this.#files.cache);
      return (this.#session = { key, run: id, gpu, model });
    } catch (error) {
      gpu.close();
      throw error;
    }
  }

  #checkpoint({ id }: StoredRun): (step: number) => Promise<Folder> {
    return async (step) => folderOf(await this.#files.kept.open(id, step));
  }

  #drop(): void {
    this.#session?.gpu.close();
    this.#session = undefined;
  }
}

/**
 * What the browser holds; where it holds none or may not read it, what was chosen, if that has the same name. Throws
 * UserError.
 */
async function reachable(
  kept: () => Promise<ChosenFolder | undefined>,
  given: ChosenFolder | undefined,
  name: string,
): Promise<ChosenFolder> {
  const instead = given?.name === name ? given : undefined;
  const found = await kept().catch((error: unknown) => {
    if (instead && error instanceof UserError) {
      return undefined;
    }
    throw error;
  });
  if (found ?? instead) {
    return (found ?? instead)!;
  }
  throw new UserError(
    `${name}: this browser no longer has a way to it; choose the folder in stage one, then ask again.`,
  );
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
