import { pickOutputFolder } from '../../platform/file-pickers.ts';
import type { AskToRead } from '../../platform/permission.ts';
import type { AppState, BrowserQuestion } from './app-state.ts';
import type { Store } from './store.ts';

/** An answer that takes longer than this comes from the user. */
const AT_ONCE_MS = 150;

/**
 * Waits for the browser to ask the user, and says so meanwhile. Resolves to undefined where the user does not want to
 * wait. `silent`: the browser may also answer by itself, so nothing is said for a moment.
 */
export async function whileAsked<T>(
  app: Store<AppState>,
  text: string,
  ask: () => Promise<T>,
  { silent = false } = {},
): Promise<T | undefined> {
  let cancel = (): void => undefined;
  const canceled = new Promise<undefined>((resolve) => (cancel = () => resolve(undefined)));
  const question: BrowserQuestion = { text, cancel };
  const say = () => app.update({ question });
  const timer = silent ? setTimeout(say, AT_ONCE_MS) : undefined;
  if (!silent) {
    say();
  }
  try {
    return await Promise.race([ask(), canceled]);
  } finally {
    clearTimeout(timer);
    if (app.state.question === question) {
      app.update({ question: undefined });
    }
  }
}

/** Has the user choose a folder to write into, and says meanwhile that the browser asks about that then. */
export const askForOutputFolder = (app: Store<AppState>): Promise<FileSystemDirectoryHandle | undefined> =>
  whileAsked(
    app,
    'Choose a folder to write into. The browser asks then whether Retune may edit files in it: answer it at the top of this window.',
    pickOutputFolder,
    { silent: true },
  );

/** Has the browser ask for a handle, and says meanwhile what it asks for; `why` completes "to continue the run". */
export const askToRead =
  (app: Store<AppState>, why: string): AskToRead =>
  async (handle, request) => {
    const text = `The browser asks whether Retune may read ${handle.name}, ${why}: answer it at the top of this window.`;
    return (await whileAsked(app, text, request)) ?? 'prompt';
  };
