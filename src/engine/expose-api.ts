import { expose } from 'comlink';
import { transferSignals } from './abort-transfer.ts';

/** Serves a worker's calls to the page. A call's callbacks have all been heard before it is answered. */
export function exposeApi(api: object): void {
  transferSignals();
  expose(heardFirst(api as Record<string, (...args: unknown[]) => unknown>));
}

/**
 * The same methods, each answering only once whatever it called back with has arrived: answers and every callback travel
 * through message ports of their own, between which browsers keep no order, and a call that has its answer hears no more.
 */
export const heardFirst = <Api extends Record<string, (...args: never[]) => unknown>>(api: Api): Api =>
  Object.fromEntries(
    Object.entries(api).map(([name, method]) => [name, async (...args: unknown[]) => call(method, args)]),
  ) as unknown as Api;

async function call(method: (...args: never[]) => unknown, args: readonly unknown[]): Promise<unknown> {
  const underWay = new Set<Promise<unknown>>();
  const tell =
    (hear: (...args: unknown[]) => unknown) =>
    (...args: unknown[]): Promise<unknown> => {
      const heard = Promise.resolve(hear(...args));
      const over = () => void underWay.delete(heard);
      underWay.add(heard);
      heard.then(over, over);
      return heard;
    };
  const told = args.map((arg) => (typeof arg === 'function' ? tell(arg as () => unknown) : arg));
  try {
    return await method(...(told as never[]));
  } finally {
    await Promise.allSettled(underWay);
  }
}
