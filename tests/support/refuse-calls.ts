import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

type Call = 'access' | 'open' | 'readdir' | 'stat';

/**
 * The system refuses a call on files at every path that contains `at`, with that error code, while `work` runs.
 * Nothing is refused to root itself, so permissions cannot show this.
 */
export async function withRefused<T>(
  call: Call,
  at: string,
  code: string,
  work: () => Promise<T>,
): Promise<T> {
  const original = promises[call] as (...args: unknown[]) => unknown;
  const set = (value: unknown): void => {
    Object.assign(promises, { [call]: value });
    syncBuiltinESMExports();
  };
  set((path: unknown, ...rest: unknown[]) =>
    String(path).includes(at)
      ? Promise.reject(Object.assign(new Error(`${code}: ${call} '${path}'`), { code, path, syscall: call }))
      : original(path, ...rest),
  );
  try {
    return await work();
  } finally {
    set(original);
  }
}
