import { beforeAll, expect, it } from 'vitest';
import { nodeFolder } from '../../../src/cli/node-files.ts';
import { type ChatModel, openChatModel } from '../../../src/engine/chat/chat-model.ts';
import type { ChatMessage } from '../../../src/engine/protocol/chat.ts';
import type { Folder } from '../../../src/formats/byte-source.ts';
import { parseRecipe } from '../../../src/formats/recipe.ts';
import { GREEDY } from '../../../src/generate/sampling.ts';
import { BaseCache } from '../../../src/model/base/cache/base-cache.ts';
import { CURSOR } from '../../../src/run/checkpoint/checkpoint.ts';
import { BrowserCacheStorage } from '../../../src/storage/base-cache.ts';
import { testGpu } from '../../support/gpu.ts';
import { memoryDirectory } from '../../support/memory-cache.ts';
import { fixtureBytes, source } from '../../support/memory-folder.ts';
import { casePath } from '../../support/model-case.ts';

interface Golden {
  system: string;
  versions: Record<'base' | 'v1', { question: string; text: string }[]>;
}
const NAME = 'chat_messages';
const file = (path: string): string => new TextDecoder().decode(fixtureBytes(path));
const { system, versions } = (JSON.parse(file('generate/chat.json')) as Record<string, Golden>)[NAME]!;

/** V1 as a checkpoint of a run. */
async function checkpoint(): Promise<Folder> {
  const folder = await nodeFolder(casePath(NAME, 'v1'));
  const identity = Object.fromEntries(
    ['base', 'source', 'train', 'validation', 'tokens', 'recipe'].map((part) => [part, 'a'.repeat(64)]),
  );
  const cursor = { step: 1, identity, plan: {}, logWindow: {}, files: {}, prompt: 'chat' };
  return {
    ...folder,
    open: async (name) => (name === CURSOR ? source(CURSOR, JSON.stringify(cursor)) : folder.open(name)),
  };
}

let model: ChatModel;
beforeAll(async () => {
  const { gpu } = await testGpu();
  const v1 = await nodeFolder(casePath(NAME, 'v1'));
  const base = await nodeFolder(casePath(NAME, 'base'));
  const folders = { base, v1, v2: await checkpoint(), checkpoint: () => Promise.resolve(v1) };
  const { recipe } = parseRecipe(file(`cases/${NAME}/training_config.yaml`), 'recipe');
  const cache = new BaseCache(new BrowserCacheStorage(async () => memoryDirectory()));
  model = await openChatModel(gpu, folders, recipe, cache);
});

const call = {
  sampling: GREEDY,
  maxNewTokens: 12,
  ...{ seed: 42, turn: 0, stop: [] as string[] },
  signal: new AbortController().signal,
  onText: () => undefined,
};

it('continues a conversation with the words of transformers', async () => {
  const own = { base: [] as ChatMessage[], v1: [] as ChatMessage[] };
  // As in the page: the versions take turns, and each continues its own answers.
  for (const turn of [0, 1]) {
    for (const version of ['base', 'v1'] as const) {
      const { question, text } = versions[version][turn]!;
      const messages = own[version];
      messages.push({ role: 'user', content: question });
      const said: string[] = [];
      const reply = await model.ask([{ role: 'system', content: system }, ...messages], {
        ...{ ...call, version, turn },
        onText: (piece) => said.push(piece),
      });
      expect(reply.text).toBe(text);
      expect(said.join('').trim()).toBe(text);
      messages.push({ role: 'assistant', content: reply.text });
    }
  }
  // Otherwise the test would not notice one version continuing another's answers.
  expect(own.v1.map(({ content }) => content)).not.toEqual(own.base.map(({ content }) => content));
  const { gpu } = await testGpu();
  expect(gpu.errors).toEqual([]);
});

it('repeats by its seed, ends at a stop text, stops when told and refuses what is too long', async () => {
  const question: ChatMessage = { role: 'user', content: 'Where must the fuse 82?' };
  const sampling = { ...GREEDY, temperature: 1.5 };
  const sampled = { ...call, version: 'v1', sampling, maxNewTokens: 5 } as const;
  const one = await model.ask([question], sampled);
  expect(await model.ask([question], sampled)).toEqual(one);
  expect((await model.ask([question], { ...sampled, seed: 43 })).text).not.toBe(one.text);
  expect((await model.ask([question], { ...sampled, turn: 1 })).text).not.toBe(one.text);

  const { text: whole } = await model.ask([question], { ...call, version: 'checkpoint-7' });
  const stop = whole.split(' ')[2]!;
  const cut = await model.ask([question], { ...call, version: 'checkpoint-7', stop: [stop] });
  expect(cut).toEqual({ text: whole.slice(0, whole.indexOf(stop)).trim(), ended: 'stop text' });

  const cancel = new AbortController();
  const told: string[] = [];
  const canceled = await model.ask([question], {
    ...{ ...call, version: 'base', signal: cancel.signal },
    onText: (piece) => told.push(piece) === 2 && cancel.abort(),
  });
  expect(canceled).toEqual({ text: told.join('').trim(), ended: 'cancelled' });
  expect(told).toHaveLength(2);

  const long: ChatMessage = { role: 'user', content: 'pump 42 '.repeat(1500) };
  await expect(model.ask([long], { ...call, version: 'base' })).rejects.toThrow(
    /^The question has \d+ tokens, expected fewer than 2048; shorten it\.$/,
  );
  await expect(model.ask([question, question, long], { ...call, version: 'base' })).rejects.toThrow(
    /^The conversation has \d+ tokens, expected fewer than 2048; begin a new one\.$/,
  );
});
