import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { initialState } from '../../../src/app/shared/app-state.ts';
import { askForOutputFolder, askToRead, whileAsked } from '../../../src/app/shared/browser-questions.ts';
import { neededHandles } from '../../../src/app/shared/needed-handles.ts';
import { Store } from '../../../src/app/shared/store.ts';
import { mayRead, readPermission } from '../../../src/platform/permission.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function handle(name: string, state: PermissionState, answer: PermissionState = 'granted') {
  const asked: string[] = [];
  const one = {
    name,
    queryPermission: async () => state,
    requestPermission: async () => {
      asked.push(name);
      return answer;
    },
  } as unknown as FileSystemHandle;
  return { one, asked };
}

it('is said while it is open, and not any more once it is answered', async () => {
  const app = new Store(initialState);
  let answer: (answer: string) => void = () => undefined;
  const waiting = whileAsked(app, 'May it?', () => new Promise<string>((resolve) => (answer = resolve)));
  expect(app.state.question?.text).toBe('May it?');
  answer('yes');
  expect(await waiting).toBe('yes');
  expect(app.state.question).toBeUndefined();
});

it('is said too while a folder to write into is chosen, which the user can leave', async () => {
  const app = new Store(initialState);
  vi.stubGlobal('showDirectoryPicker', () => new Promise(() => undefined));
  const waiting = askForOutputFolder(app);
  await vi.advanceTimersByTimeAsync(200);
  expect(app.state.question?.text).toMatch(/asks then whether Retune may edit files in it/);
  app.state.question!.cancel();
  expect(await waiting).toBeUndefined();
  expect(app.state.question).toBeUndefined();
});

it('is waited for no longer once the user cancels, whatever is answered later', async () => {
  const app = new Store(initialState);
  const waiting = whileAsked(app, 'May it?', () => new Promise<string>(() => undefined));
  app.state.question!.cancel();
  expect(await waiting).toBeUndefined();
  expect(app.state.question).toBeUndefined();
});

it('that the browser answers by itself is not said', async () => {
  const app = new Store(initialState);
  const said: unknown[] = [];
  app.subscribe(() => said.push(app.state.question?.text));
  expect(await whileAsked(app, 'Keep it?', async () => true, { silent: true })).toBe(true);
  await vi.runAllTimersAsync();
  expect(said).toEqual([]);
  const waiting = whileAsked(app, 'Keep it?', () => new Promise<boolean>(() => undefined), { silent: true });
  await vi.runAllTimersAsync();
  expect(app.state.question?.text).toBe('Keep it?');
  app.state.question!.cancel();
  await waiting;
});

it('is put only for handles that the browser has not answered for', async () => {
  const app = new Store(initialState);
  const [granted, open] = [handle('base', 'granted'), handle('v1', 'prompt')];
  const ask = askToRead(app, 'to continue the run');
  expect(await mayRead([granted.one, open.one])).toBe(false);
  expect(await mayRead([granted.one, open.one], ask)).toBe(true);
  expect([...granted.asked, ...open.asked]).toEqual(['v1']);
  expect(await readPermission([handle('rows', 'prompt', 'denied').one], ask)).toBe('denied');
});

it('is put for nothing that the browser holds itself', async () => {
  const [base, train] = [handle('base', 'prompt').one, handle('rows', 'prompt').one];
  const runs = [{ id: 'a', handles: { base, train } }] as unknown as Parameters<typeof neededHandles>[1];
  const engine = { lacks: async () => ({ ok: true, value: ['train', 'source'] as const }) as const };
  const parts = [
    ['a', 'base'],
    ['a', 'train'],
    ['a', 'source'],
    ['gone', 'base'],
  ] as const;
  expect(await neededHandles(engine, runs, parts)).toEqual([train]);
});
