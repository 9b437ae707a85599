/** Locks of one name as a browser has them: what is to be done waits for what was asked for before. */
export function inTurn() {
  let last: Promise<unknown> = Promise.resolve();
  return (_: string, work: () => Promise<unknown>) => (last = last.catch(() => undefined).then(work));
}
