import { joinBytes } from '../../support/memory-folder.ts';
import type { Random } from '../../support/random.ts';
import { bytesOf } from '../format.ts';

/** Characters that parsers, terminals and tables trip over. */
export const HOSTILE_TEXTS = [
  '',
  ' ',
  '\u0000',
  '\u0007',
  '\u001b[31m',
  '\u009b2J',
  '\u202e',
  '\u2066',
  '\u2028',
  '\ufeff',
  '\u200b',
  '\r',
  '\n',
  '\r\n',
  '\t',
  '\\',
  '"',
  "'",
  '</script><img src=x onerror=alert(1)>',
  '__proto__',
  'constructor',
  'toString',
  '../../etc/passwd',
  'C:\\nul',
  '😀',
  'é'.normalize('NFD'),
  '\u{10ffff}',
  'x'.repeat(1000),
  '\u001b'.repeat(300),
];

const HOSTILE_BYTES = [
  '00',
  'ff',
  'fe',
  '80',
  'c0af',
  'eda080',
  'f4908080',
  'efbbbf',
  '0a',
  '0d',
  '22',
  '5c',
  '7b',
  '5d',
].map((hex) => new Uint8Array(Buffer.from(hex, 'hex')));

/** How a range of bytes is changed. */
type Change = (
  random: Random,
  bytes: Uint8Array,
  others: readonly Uint8Array[],
  words: readonly string[],
) => Uint8Array;

const slice = (random: Random, { length }: Uint8Array, most = length): [begin: number, end: number] => {
  const begin = random.integer(0, length);
  return [begin, Math.min(length, begin + random.integer(0, Math.max(0, Math.min(most, length - begin))))];
};

const replace = (bytes: Uint8Array, begin: number, end: number, by: Uint8Array): Uint8Array =>
  joinBytes([bytes.subarray(0, begin), by, bytes.subarray(end)]);

const CHANGES: readonly Change[] = [
  function flip(random, bytes) {
    if (bytes.length === 0) {
      return bytes;
    }
    const copy = bytes.slice();
    const at = random.integer(0, bytes.length - 1);
    copy[at]! ^= 1 << random.integer(0, 7);
    return copy;
  },
  function overwrite(random, bytes) {
    const at = random.integer(0, bytes.length);
    return replace(bytes, at, at + 1, random.pick(HOSTILE_BYTES));
  },
  function insertBytes(random, bytes) {
    const at = random.integer(0, bytes.length);
    return replace(bytes, at, at, random.pick(HOSTILE_BYTES));
  },
  function insertWord(random, bytes, _, words) {
    const at = random.integer(0, bytes.length);
    return replace(bytes, at, at + random.integer(0, 4), bytesOf(random.pick(words)));
  },
  function insertHostile(random, bytes) {
    const at = random.integer(0, bytes.length);
    return replace(bytes, at, at, bytesOf(random.pick(HOSTILE_TEXTS)));
  },
  function drop(random, bytes) {
    const [begin, end] = slice(random, bytes, random.pick([1, 4, 64, bytes.length]));
    return replace(bytes, begin, end, new Uint8Array());
  },
  function cut(random, bytes) {
    return bytes.subarray(0, random.integer(0, bytes.length));
  },
  function repeat(random, bytes) {
    const [begin, end] = slice(random, bytes, random.pick([1, 8, 200]));
    const times = random.pick([1, 2, 50]);
    return replace(
      bytes,
      end,
      end,
      joinBytes(Array.from({ length: times }, () => bytes.subarray(begin, end))),
    );
  },
  function splice(random, bytes, others) {
    const other = random.pick(others);
    const [begin, end] = slice(random, other);
    const [from, to] = slice(random, bytes);
    return replace(bytes, from, to, other.subarray(begin, end));
  },
  function swap(random, bytes) {
    const [begin, middle] = slice(random, bytes, 64);
    const [, end] = slice(random, bytes.subarray(middle), 64);
    const [left, right] = [bytes.subarray(begin, middle), bytes.subarray(middle, middle + end)];
    return replace(bytes, begin, middle + end, joinBytes([right, left]));
  },
  function swapNumbers(random, bytes) {
    const text = Buffer.from(bytes).toString('latin1');
    const numbers = [...text.matchAll(/\d+/g)];
    if (numbers.length < 2) {
      return bytes;
    }
    const [from, to] = [random.pick(numbers), random.pick(numbers)];
    const by = random.pick([
      from[0],
      `-${from[0]}`,
      `${from[0]}.5`,
      `${from[0]}0`,
      '4294967296',
      '1e999',
      '0',
    ]);
    return replace(bytes, to.index, to.index + to[0].length, bytesOf(by));
  },
];

/** One to four changes; `words` are pieces of the format's own language, `others` what may be spliced in. */
export function mutateBytes(
  random: Random,
  bytes: Uint8Array,
  others: readonly Uint8Array[],
  words: readonly string[],
): Uint8Array {
  let changed = bytes;
  do {
    changed = random.pick(CHANGES)(random, changed, others, words);
  } while (random.uniform() < 0.3);
  return changed;
}
