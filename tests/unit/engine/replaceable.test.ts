import { expose } from 'comlink';
import { describe, expect, it } from 'vitest';
import type { Answer } from '../../../src/engine/answer.ts';
import { ReplaceableWorker } from '../../../src/engine/replaceable.ts';
import { UserError } from '../../../src/formats/user-error.ts';

interface Api {
  double(n: number): Promise<number>;
  /** Never answers, whatever it is sent. */
  hang(name: string, signal?: AbortSignal): Promise<Answer<string>>;
  /** Answers once its signal is given. */
  polite(signal: AbortSignal): Promise<Answer<string>>;
  train(hear: (text: string) => void): Promise<Answer<string>>;
  generation(): Promise<number>;
  /** Rejects. */
  fail(error: 'for the user' | 'a bug'): Promise<void>;
}

/** Workers in this thread, each with an object of its own; `seen` is what all of them were asked. */
function workers(plan: { kept?: ('train' | 'hang')[]; work?: ('train' | 'hang')[] } = {}) {
  const seen: string[] = [];
  let opened = 0;
  const open = () => {
    const { port1, port2 } = new MessageChannel();
    const own = ++opened;
    const note = (what: string) => seen.push(`${own} ${what}`);
    const api: Api = {
      double: async (n) => 2 * n,
      hang: (name) => (note(name), new Promise(() => undefined)),
      polite: (signal) =>
        new Promise((_, reject) => {
          note('polite');
          signal.addEventListener('abort', () => reject(signal.reason as Error));
        }),
      train: (hear) => {
        note('train');
        hear(`step of ${own}`);
        return new Promise(() => undefined);
      },
      generation: async () => own,
      fail: async (error) => {
        throw error === 'a bug' ? new TypeError(error) : new UserError(error);
      },
    };
    expose(api, port2 as never);
    port1.start();
    const worker = port1 as unknown as Worker;
    worker.terminate = () => {
      note('ended');
      port1.close();
      port2.close();
    };
    return worker;
  };
  const worker = new ReplaceableWorker<Api>({
    open,
    work: ['train'],
    ...plan,
  });
  return { worker, api: worker.api, seen, opened: () => opened };
}

const until = async (is: () => boolean) => {
  while (!is()) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};
const reason = new UserError('a.jsonl: canceled.');
const refused = { ok: false, sentence: 'a.jsonl: canceled.' };

describe('a worker that can be replaced', () => {
  it('rejects with what the user is to read as such, and with bugs as bugs', async () => {
    const { api } = workers();
    await expect(api.fail('for the user')).rejects.toBeInstanceOf(UserError);
    const bug: unknown = await api.fail('a bug').catch((error: unknown) => error);
    expect(bug).toBeInstanceOf(Error);
    expect(bug).not.toBeInstanceOf(UserError);
  });

  it('answers', async () => {
    const { api } = workers();
    expect(await api.double(21)).toBe(42);
  });

  it('is replaced where it does not let go of what was canceled; what else was asked is asked again', async () => {
    const { api, seen, opened } = workers();
    const cancel = new AbortController();
    const stuck = api.hang('a', cancel.signal);
    const other = new AbortController();
    const waiting = api.polite(other.signal);
    await until(() => seen.length === 2);
    cancel.abort(reason);
    expect(await stuck).toEqual(refused);
    await until(() => seen.length === 4);
    expect(seen).toEqual(['1 a', '1 polite', '1 ended', '2 polite']);
    expect(await api.generation()).toBe(2);
    other.abort(new UserError('b: canceled.'));
    expect(await waiting).toEqual({ ok: false, sentence: 'b: canceled.' });
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(opened()).toBe(2);
  });

  it('stays where it lets go', async () => {
    const { api, opened } = workers();
    const cancel = new AbortController();
    const waiting = api.polite(cancel.signal);
    await api.double(1);
    cancel.abort(reason);
    expect(await waiting).toEqual(refused);
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(opened()).toBe(1);
  });

  it('is not asked what was canceled before', async () => {
    const { api, opened } = workers();
    expect(await api.hang('a', AbortSignal.abort(reason))).toEqual(refused);
    await expect(api.hang('a', AbortSignal.abort('bug'))).rejects.toBe('bug');
    expect(opened()).toBe(0);
  });

  it('is replaced once for two that were canceled, neither of which is asked again', async () => {
    const { api, seen, opened } = workers();
    const cancel = new AbortController();
    const both = [api.hang('a', cancel.signal), api.hang('b', cancel.signal)];
    await until(() => seen.length === 2);
    cancel.abort(reason);
    expect(await Promise.all(both)).toEqual([refused, refused]);
    await new Promise((resolve) => setTimeout(resolve, 1200));
    expect(seen).toEqual(['1 a', '1 b', '1 ended']);
    expect(opened()).toBe(2);
  });

  it('is never replaced automatically while it trains; only on request, and then says so', async () => {
    const { worker, api, seen } = workers({ kept: ['train'] });
    const heard: string[] = [];
    const training = api.train((text) => heard.push(text));
    const cancel = new AbortController();
    const stuck = api.hang('a', cancel.signal);
    await until(() => heard.length === 1 && seen.length === 2);
    cancel.abort(reason);
    expect(await stuck).toEqual(refused);
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(seen).toEqual(['1 train', '1 a']);
    worker.replace('v2: ended.');
    expect(await training).toEqual({ ok: false, sentence: 'v2: ended.' });
    expect(await api.generation()).toBe(2);
    expect(seen.slice(2)).toEqual(['1 ended']);
  });

  it('tells everybody where it could not be loaded', async () => {
    const worker = new EventTarget() as Worker;
    worker.postMessage = () => undefined;
    const { api } = new ReplaceableWorker<Api>({ open: () => worker });
    const asked = api.double(1);
    worker.dispatchEvent(new Event('error'));
    await expect(asked).rejects.toThrow('the engine could not be loaded');
  });
});
