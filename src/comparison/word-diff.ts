import { SubsequenceColumn } from './common-subsequence.ts';

/** A piece of the difference of two texts: in both, only in the first, or only in the second. */
export interface DiffPiece {
  kind: 'same' | 'gone' | 'new';
  text: string;
}

/** Maximum table cells, of one bit each, for which a difference is computed: 32 MiB, two texts of 8,000 words. */
const MAX_CELLS = 2 ** 28;

/** Words, white space, and single characters of anything else; scripts without spaces are split by character. */
const PARTS =
  /\s+|(?:(?![\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}])[\p{L}\p{M}\p{N}_])+|.\p{M}*/gsu;

/**
 * The words of `first` missing from `second`, and those new there, by a longest common subsequence. Without the new
 * pieces the result spells `first`, without the missing ones `second`. If both texts are so long that this would
 * take seconds, everything between their common prefix and suffix counts as changed.
 */
export function wordDiff(first: string, second: string): DiffPiece[] {
  const [a, b] = [parts(first), parts(second)];
  let begin = 0;
  while (begin < a.length && begin < b.length && a[begin] === b[begin]) {
    begin++;
  }
  let end = 0;
  const rest = Math.min(a.length, b.length) - begin;
  while (end < rest && a[a.length - 1 - end] === b[b.length - 1 - end]) {
    end++;
  }
  const [x, y] = [a.slice(begin, a.length - end), b.slice(begin, b.length - end)];
  return joined([
    { kind: 'same', text: a.slice(0, begin).join('') },
    ...(x.length * y.length > MAX_CELLS ? replaced(x, y) : aligned(x, y)),
    { kind: 'same', text: a.slice(a.length - end).join('') },
  ]);
}

const parts = (text: string): string[] => text.match(PARTS) ?? [];

function replaced(a: readonly string[], b: readonly string[]): DiffPiece[] {
  return [
    { kind: 'gone', text: a.join('') },
    { kind: 'new', text: b.join('') },
  ];
}

function aligned(a: readonly string[], b: readonly string[]): DiffPiece[] {
  // Backwards, so that a column gives what a from i on and b from j on have in common.
  const column = new SubsequenceColumn(a.toReversed());
  const words = column.bits.length;
  const columns = new Uint32Array((b.length + 1) * words);
  for (let j = b.length; j >= 0; j--) {
    if (j < b.length) {
      column.add(b[j]!);
    }
    columns.set(column.bits, j * words);
  }
  /** Whether a from i on has no more in common with b from j on than a from i + 1 on has. */
  const spare = (i: number, j: number): boolean => {
    const bit = a.length - 1 - i;
    return ((columns[j * words + (bit >>> 5)]! >>> (bit & 31)) & 1) === 1;
  };
  const pieces: DiffPiece[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      pieces.push({ kind: 'same', text: a[i]! });
      i++;
      j++;
    } else if (j === b.length || (i < a.length && spare(i, j))) {
      pieces.push({ kind: 'gone', text: a[i++]! });
    } else {
      pieces.push({ kind: 'new', text: b[j++]! });
    }
  }
  return pieces;
}

/**
 * Merges neighboring pieces of a kind; within a run of changes, missing pieces come before new ones. White space
 * that is all that two changes have in common between them belongs to both.
 */
function joined(pieces: readonly DiffPiece[]): DiffPiece[] {
  const result: DiffPiece[] = [];
  let [gone, fresh] = ['', ''];
  const flush = (): void => {
    if (gone !== '') {
      result.push({ kind: 'gone', text: gone });
    }
    if (fresh !== '') {
      result.push({ kind: 'new', text: fresh });
    }
    gone = fresh = '';
  };
  pieces.forEach(({ kind, text }, i) => {
    if (text === '') {
      return;
    }
    const between = kind === 'same' && text.trim() === '' && gone !== '' && fresh !== '';
    const next = pieces[i + 1];
    if (kind === 'gone') {
      gone += text;
    } else if (kind === 'new') {
      fresh += text;
    } else if (between && next && next.kind !== 'same') {
      gone += text;
      fresh += text;
    } else {
      flush();
      const last = result.at(-1);
      if (last?.kind === 'same') {
        last.text += text;
      } else {
        result.push({ kind, text });
      }
    }
  });
  flush();
  return result;
}
