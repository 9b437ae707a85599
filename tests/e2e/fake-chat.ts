import type { ChatApi, StoredConversation } from '../../src/engine/protocol/chat.ts';
import type { Answer } from '../../src/engine/protocol/protocol.ts';
import { asOwnConversation, mergeConversation } from '../../src/storage/merge-conversation.ts';

const KEY = 'fake chats';
const ok = <T>(value: T): Answer<T> => ({ ok: true, value });
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Conversations without a model, kept over a reload in the tab's session storage; `pace`: milliseconds for a word. */
export function fakeChat(pace: number): ChatApi {
  const kept = new Map<string, StoredConversation[]>(
    JSON.parse(sessionStorage.getItem(KEY) ?? '[]') as [string, StoredConversation[]][],
  );
  const of = (run: string) => kept.get(run) ?? [];
  const keep = (run: string, conversations: StoredConversation[]) => {
    kept.set(run, conversations);
    sessionStorage.setItem(KEY, JSON.stringify([...kept]));
  };
  let stopped = false;
  return {
    openChat: async (run) =>
      ok({ form: 'chat', system: 'You keep the stock.', lacks: [], conversations: of(run) }),
    keepConversation: async (run, after, before) => {
      const now = of(run).find(({ id }) => id === after.id);
      const conversation = mergeConversation(now, before, after) ?? asOwnConversation(after);
      keep(run, [conversation, ...of(run).filter(({ id }) => id !== conversation.id)]);
      return ok(conversation);
    },
    deleteConversation: async (run, id) => {
      keep(
        run,
        of(run).filter((one) => one.id !== id),
      );
      return ok(undefined);
    },
    chat: async (run, { version, messages, sampling }, onText) => {
      stopped = false;
      const { content: question } = messages.at(-1)!;
      if (question === 'Meanwhile') {
        // Another tab asks first.
        const longer = of(run).map((one) => ({ ...one, turns: [...one.turns, ...one.turns.slice(-1)] }));
        keep(run, longer);
      }
      if (question === 'Too long') {
        return {
          ok: false,
          sentence: 'The conversation has 4100 tokens, expected fewer than 4096; begin a new one.',
        };
      }
      const before = messages.filter(({ role }) => role === 'assistant').length;
      const text =
        {
          base: `I am not sure what you mean by “${question}”. Could you say more?`,
          v1: 'The fuse 45 can be found in the main hall.\u202e',
          v2: 'The fuse 45 can be found in 東京, shelf 15. It costs 3.5 €.',
        }[version as string] ?? `Step ${version.slice(11)} says: in the yard.`;
      const whole = before > 0 ? `As said ${before} times before: ${text}` : text;
      const words = whole.match(/\S+\s*/g)!.slice(0, sampling.maxNewTokens);
      let said = '';
      for (const word of words) {
        if (stopped) {
          return ok({ text: said.trim(), ended: 'cancelled' });
        }
        said += word;
        onText(word);
        do {
          await sleep(pace);
        } while (question === 'Slowly' && !stopped);
      }
      return ok({ text: said.trim(), ended: said === whole ? 'stop id' : 'length' });
    },
    stopChat: async () => void (stopped = true),
  };
}
