import { shorten } from '../../formats/quote.ts';

/** Names that a sentence has room for. */
const MAX_NAMES = 6;

/** What a folder holds of `total` files of which only these were written, as a part of a sentence. */
export function partlyWritten(written: readonly string[], total: number): string {
  if (written.length === 0) return 'nothing was written to it';
  const named = written.slice(0, MAX_NAMES).map((path) => shorten(path));
  const others = written.length - named.length;
  const list = named.join(', ') + (others > 0 ? ` and ${others} more` : '');
  return `only ${written.length} of ${total} files ${written.length === 1 ? 'is' : 'are'} in it (${list})`;
}
