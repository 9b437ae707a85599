import { expect, it } from 'vitest';
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

type Name = 'chat_messages' | 'recipe_text';
type Golden = Record<
  Name,
  { system: string; versions: Record<'base' | 'v1', { question: string; text: string }[]> }
>;
const golden = JSON.parse(new TextDecoder().decode(fixtureBytes('generate/chat.json'))) as Golden;

/** A case's adapter as the checkpoint of a run whose rows had this form. */
async function checkpoint(name: Name): Promise<Folder> {
  const folder = await nodeFolder(casePath(name, 'v1'));
  const prompt = name === 'recipe_text' ? 'text' : 'chat';
  const identity = Object.fromEntries(
    ['base', 'source', 'train', 'validation', 'tokens', 'recipe'].map((part) => [part, 'a'.repeat(64)]),
  );
  const cursor = { step: 1, identity, plan: {}, logWindow: {}, files: {}, prompt };
  return {
    ...folder,
    open: async (file) => (file === CURSOR ? source(CURSOR, JSON.stringify(cursor)) : folder.open(file)),
  };
}

async function openCase(name: Name): Promise<ChatModel> {
  const { gpu } = await testGpu();
  const v1 = await nodeFolder(casePath(name, 'v1'));
  const folders = {
    base: await nodeFolder(casePath(name, 'base')),
    v1,
    v2: await checkpoint(name),
    checkpoint: () => Promise.resolve(v1),
  };
  const recipe = parseRecipe(
    new TextDecoder().decode(fixtureBytes(`cases/${name}/training_config.yaml`)),
    'recipe',
  ).recipe;
  return openChatModel(
    gpu,
    folders,
    recipe,
    new BaseCache(new BrowserCacheStorage(async () => memoryDirectory())),
  );
}

const call = {
  sampling: GREEDY,
  maxNewTokens: 24,
  ...{ seed: 42, turn: 0, stop: [] as string[] },
  signal: new AbortController().signal,
  onText: () => undefined,
};

it.each(['chat_messages', 'recipe_text'] as const)(
  'continues a conversation of %s with the words of transformers',
  async (name) => {
    const model = await openCase(name);
    const { system, versions } = golden[name];
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
    const { gpu } = await testGpu();
    expect(gpu.errors).toEqual([]);
  },
);

it('repeats by its seed, ends at a stop text, stops when told and refuses what is too long', async () => {
  const model = await openCase('recipe_text');
  const question: ChatMessage = { role: 'user', content: 'Where is the pump 42?' };
  const sampled = { ...call, version: 'v1', sampling: { ...GREEDY, temperature: 1.5 } } as const;
  const one = await model.ask([question], sampled);
  expect(await model.ask([question], sampled)).toEqual(one);
  expect((await model.ask([question], { ...sampled, seed: 43 })).text).not.toBe(one.text);
  expect((await model.ask([question], { ...sampled, turn: 1 })).text).not.toBe(one.text);

  const { text: whole } = await model.ask([question], { ...call, version: 'checkpoint-7' });
  const cut = await model.ask([question], { ...call, version: 'checkpoint-7', stop: [' stored in'] });
  expect(cut).toEqual({ text: whole.slice(0, whole.indexOf(' stored in')), ended: 'stop text' });

  const stop = new AbortController();
  const told: string[] = [];
  const stopped = await model.ask([question], {
    ...{ ...call, version: 'base', signal: stop.signal },
    onText: (piece) => told.push(piece) === 2 && stop.abort(),
  });
  expect(stopped).toEqual({ text: told.join('').trim(), ended: 'cancelled' });
  expect(told).toHaveLength(2);

  const long: ChatMessage = { role: 'user', content: 'pump 42 '.repeat(1500) };
  await expect(model.ask([long], { ...call, version: 'base' })).rejects.toThrow(
    /^The question has \d+ tokens, expected fewer than 2048; shorten it\.$/,
  );
  await expect(model.ask([question, question, long], { ...call, version: 'base' })).rejects.toThrow(
    /^The conversation has \d+ tokens, expected fewer than 2048; begin a new one\.$/,
  );
});
