import { shorten } from '../../formats/quote.ts';

/** How many names a message lists. */
const MAX_NAMES = 6;

/** Which of `total` files were written to a folder, as part of a message. */
export function partlyWritten(written: readonly string[], total: number): string {
  if (written.length === 0) {
    return 'nothing was written to it';
  }
  const named = written.slice(0, MAX_NAMES).map((path) => shorten(path));
  const others = written.length - named.length;
  const list = named.join(', ') + (others > 0 ? ` and ${others} more` : '');
  return `only ${written.length} of ${total} files ${written.length === 1 ? 'is' : 'are'} in it (${list})`;
}
