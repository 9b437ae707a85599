import { describe, expect, it } from 'vitest';
import { BoundedRegExp, TooMuchWork } from '../../../src/formats/bounded-regexp.ts';
import { PatternError } from '../../../src/formats/regexp-program.ts';
import { Random } from '../../support/random.ts';

const plenty = () => ({ steps: 1e7 });

/** All matches, as String.matchAll goes from one to the next. */
function all(pattern: BoundedRegExp, text: string, unicode: boolean): [number, number][] {
  const found: [number, number][] = [];
  for (let at = 0; at <= text.length;) {
    const match = pattern.find(text, at);
    if (!match) {
      break;
    }
    const { begin, end } = match;
    found.push([begin, end]);
    const pair = unicode && text.codePointAt(end)! > 0xffff;
    at = end > begin ? end : end + (pair ? 2 : 1);
  }
  return found;
}

function agrees(source: string, flags: '' | 'u', text: string): void {
  const own = all(new BoundedRegExp(source, flags, plenty()), text, flags === 'u');
  // V8 looks for empty matches within surrogate pairs, too, which ECMAScript steps over.
  const within = (at: number): boolean =>
    flags === 'u' && /^[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(at - 1, at + 1));
  const native = [...text.matchAll(new RegExp(source, `g${flags}`))]
    .map((m) => [m.index, m.index + m[0].length])
    .filter(([begin]) => !within(begin!));
  expect(own, `/${source}/${flags} on ${JSON.stringify(text)}`).toEqual(native);
}

/** A random expression over a few letters that uses everything the machine supports. */
function expression(random: Random, depth: number): string {
  const part = (): string => expression(random, depth - 1);
  const atoms = [
    'a',
    'b',
    '.',
    '[ab]',
    '[^a]',
    '\\w',
    '\\d',
    '\\s',
    '😀',
    '[😀b]',
    '\\b',
    '\\B',
    '^',
    '$',
    'é',
  ];
  if (depth === 0) {
    return random.pick(atoms);
  }
  const mark = (): string => random.pick(['*', '+', '?', '*?', '+?', '??', '{2}', '{1,2}', '{0,2}?', '{2,}']);
  const kinds = [
    () => random.pick(atoms),
    () => `${random.pick(['a', 'b', '.', '[ab]', '\\w', '😀', '[^b]'])}${mark()}`,
    () => part() + part(),
    () => part() + part() + part(),
    () => `(?:${part()}|${part()})`,
    () => `(?:${part()}|${part()}|)`,
    () => `(${part()})${mark()}`,
    () => `(?:${part()}|${part()})${mark()}`,
    () => `(?${random.pick(['=', '!', '<=', '<!'])}${part()})`,
  ];
  return random.pick(kinds)();
}

describe('BoundedRegExp', () => {
  it('finds what JavaScript finds, whatever the expression', () => {
    const random = new Random(21);
    const letters = ['a', 'b', 'a', 'b', ' ', '1', '😀', 'é', '\ud83d', '\n'];
    for (let n = 0; n < 3000; n++) {
      const source = expression(random, random.integer(1, 4));
      const flags = random.pick(['', 'u'] as const);
      // Without the flag, half a pair is an atom of its own: another expression than the one meant.
      const text = Array.from({ length: random.integer(0, 9) }, () => random.pick(letters)).join('');
      agrees(source, flags, text);
    }
  });

  it.each([
    "(?:'[sS]|'[tT]|'[rR][eE])|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    '[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|\\p{N}{1,3}|\\s+(?!\\S)|\\s+|.',
    '(?<=\\d)(?=(?:\\d{3})+(?!\\d))',
  ])('cuts text as JavaScript does: %s', (source) => {
    agrees(source, 'u', "It's  1234567 €,\r\n\n  naïve Ünïcode 東京タワー 😀😀 don't\t x ".repeat(3));
  });

  it.each(['(a+)+b', '(a|a)*b', '(a*)*b', '(?:a?){30}a{30}b', '^(([a-z])+.)+[A-Z]$', '(?=(a+)+b)a'])(
    'gives up %s on forty a’s',
    (source) => {
      expect(() => new BoundedRegExp(source, 'u', { steps: 1e6 }).test('a'.repeat(40))).toThrow(TooMuchWork);
      expect(new BoundedRegExp(source, 'u', { steps: 1e6 }).test('ac')).toBe(
        new RegExp(source, 'u').test('ac'),
      );
    },
  );

  it('counts polynomial work too, and takes long texts', () => {
    const text = ' '.repeat(100_000);
    expect(() => new BoundedRegExp('\\s*\\n', 'u', { steps: 1e7 }).test(text)).toThrow(TooMuchWork);
    expect(new BoundedRegExp('(?:\\s|x)+', 'u', { steps: 1e7 }).find(text, 0)).toEqual({
      begin: 0,
      end: 100_000,
    });
  });

  it.each([
    ['(', 'Unterminated group'],
    ['(a)\\1', 'it refers back to a group'],
    ['a'.repeat(20_001), 'it has 20001 characters, more than 20000'],
    ['('.repeat(9_000) + ')'.repeat(9_000), 'it is nested too deeply'],
  ])('refuses %.20s', (source, problem) => {
    expect(() => new BoundedRegExp(source, 'u', plenty())).toThrow(PatternError);
    expect(() => new BoundedRegExp(source, 'u', plenty())).toThrow(problem);
  });
});
