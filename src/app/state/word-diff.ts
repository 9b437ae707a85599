/** A stretch of words that both texts share, that only the second has, or that only the first has. */
export interface DiffPiece {
  kind: 'same' | 'added' | 'missing';
  text: string;
}

/** Beyond this many pairs of words, what differs counts as replaced: nobody reads such a mixture. */
const MOST_PAIRS = 4_000_000;

const segmenter = new Intl.Segmenter(undefined, { granularity: 'word' });

/** How `text` differs from `reference`, word by word (longest common subsequence); white space does not count. */
export function diffWords(reference: string, text: string): DiffPiece[] {
  const [a, b] = [words(reference), words(text)];
  let start = 0;
  while (start < a.length && start < b.length && a[start]!.word === b[start]!.word) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a.at(-1 - end)!.word === b.at(-1 - end)!.word)
    end++;
  const pieces = new Pieces();
  b.slice(0, start).forEach((w) => pieces.add('same', w));
  between(a.slice(start, a.length - end), b.slice(start, b.length - end), pieces);
  b.slice(b.length - end).forEach((w) => pieces.add('same', w));
  return pieces.list;
}

/** A word or a mark, and the white space after it. */
interface Word {
  word: string;
  space: string;
}

/** Words as the text's language has them, so that Japanese is not one long word. */
function words(text: string): Word[] {
  const list: Word[] = [];
  for (const { segment } of segmenter.segment(text)) {
    const last = list.at(-1);
    if (segment.trim() !== '' || !last) list.push({ word: segment, space: '' });
    else last.space += segment;
  }
  return list;
}

class Pieces {
  readonly list: DiffPiece[] = [];

  add(kind: DiffPiece['kind'], { word, space }: Word): void {
    const last = this.list.at(-1);
    if (last?.kind === kind) last.text += word + space;
    else this.list.push({ kind, text: word + space });
  }
}

function between(a: readonly Word[], b: readonly Word[], pieces: Pieces): void {
  if (a.length * b.length > MOST_PAIRS) {
    a.forEach((w) => pieces.add('missing', w));
    b.forEach((w) => pieces.add('added', w));
    return;
  }
  const width = b.length + 1;
  // Length of the longest common subsequence of what follows i in a and j in b.
  const common = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      common[i * width + j] =
        a[i]!.word === b[j]!.word
          ? common[(i + 1) * width + j + 1]! + 1
          : Math.max(common[(i + 1) * width + j]!, common[i * width + j + 1]!);
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i]!.word === b[j]!.word) {
      pieces.add('same', b[j]!);
      i++;
      j++;
    } else if (i < a.length && (j === b.length || common[(i + 1) * width + j]! >= common[i * width + j + 1]!))
      pieces.add('missing', a[i++]!);
    else pieces.add('added', b[j++]!);
  }
}
