import { setTimeout as after } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { heardFirst } from '../../../src/engine/expose-api.ts';

/** A page that takes its time over each word. */
function page() {
  const heard: string[] = [];
  const hear = async (text: string): Promise<void> => {
    await after(2);
    heard.push(text);
  };
  return { heard, hear };
}

it('answers once every callback has been heard', async () => {
  const { heard, hear } = page();
  const api = heardFirst({
    async say(id: string, onText: (text: string) => void, onEnd: (text: string) => void) {
      onText(`${id} one`);
      onText(`${id} two`);
      onEnd(`${id} end`);
      return 3;
    },
  });
  const said = await api.say('a', hear, hear);
  expect(said).toBe(3);
  expect(heard).toEqual(['a one', 'a two', 'a end']);
});

it('refuses once every callback has been heard, with the reason of the call', async () => {
  const { heard, hear } = page();
  const api = heardFirst({
    async say(onText: (text: string) => void) {
      onText('before');
      throw new Error('no more');
    },
  });
  await expect(api.say(hear)).rejects.toThrow('no more');
  expect(heard).toEqual(['before']);
});

it('answers although a callback failed, or nobody listens', async () => {
  const api = heardFirst({
    async say(onText?: (text: string) => void) {
      onText?.('lost');
      return 'said';
    },
  });
  expect(await api.say(() => Promise.reject(new Error('the page is broken')))).toBe('said');
  expect(await api.say()).toBe('said');
});
