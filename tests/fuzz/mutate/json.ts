import type { Random } from '../../support/random.ts';
import { bytesOf, textOf } from '../format.ts';
import { HOSTILE_TEXTS, mutateBytes } from './bytes.ts';

/** JSON as it is written: keys in order and any number of times, numbers and texts by their spelling. */
type Node = Branch | { kind: 'raw'; text: string };
type Branch = { kind: 'list'; items: Node[] } | { kind: 'object'; items: Node[]; keys: string[] };

/** Values of every type, and beyond what a type may hold. */
const HOSTILE_VALUES = [
  ...[
    'null',
    'true',
    'false',
    '[]',
    '{}',
    '[[]]',
    '[null]',
    '{"":0}',
    '{"a":{"a":{}}}',
    '""',
    '"7"',
    '"true"',
    '"1e3"',
  ],
  ...[
    '0',
    '-0',
    '-1',
    '1.5',
    '1.0',
    '1e3',
    '5e-324',
    '1e400',
    '-1e400',
    '0.1',
    '2147483648',
    '4294967295',
    '4294967296',
  ],
  ...[
    '9007199254740991',
    '9007199254740993',
    '18446744073709551616',
    '1e21',
    '123456789012345678901234567890',
  ],
  ...[
    'NaN',
    'Infinity',
    '01',
    '+1',
    '.5',
    '1.',
    '0x10',
    "'x'",
    'nul',
    '/**/1',
    '"\\ud800"',
    '"\\udfff\\ud800"',
    '"\\u0000"',
  ],
  ...['"\\x41"', '"\\u12"', '"unclosed', '"\u0001"', '"tab\t"', '"line\nfeed"'],
  `${'['.repeat(127)}${']'.repeat(127)}`,
  `${'['.repeat(128)}${']'.repeat(128)}`,
  `${'{"a":'.repeat(200)}1${'}'.repeat(200)}`,
  `${'['.repeat(20000)}`,
  JSON.stringify('y'.repeat(20000)),
  `[${'1,'.repeat(5000)}1]`,
  ...HOSTILE_TEXTS.map((text) => JSON.stringify(text)),
];

const HOSTILE_KEYS = [
  '',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'length',
  '0',
  'type',
  '\u001b',
  'ключ',
];

/** One to four changes to the structure of a JSON text, occasionally to its bytes. `words`: values of the format. */
export function mutateJson(
  random: Random,
  bytes: Uint8Array,
  words: readonly string[] = [],
  others: readonly Uint8Array[] = [bytes],
): Uint8Array {
  const json = parsed(textOf(bytes));
  if (json === undefined || random.uniform() < 0.15) {
    return mutateBytes(random, bytes, others, ['{', '}', '[', ']', ',', ':', '"', ...words]);
  }
  const root: Branch = { kind: 'list', items: [parse(json)] };
  do {
    change(random, root, words);
  } while (random.uniform() < 0.3);
  const text = print(root.items[0] ?? { kind: 'raw', text: '' });
  return random.uniform() < 0.05 ? mutateBytes(random, bytesOf(text), others, words) : bytesOf(text);
}

function parse(value: unknown): Node {
  if (Array.isArray(value)) {
    return { kind: 'list', items: value.map(parse) };
  }
  if (typeof value !== 'object' || value === null) {
    return { kind: 'raw', text: JSON.stringify(value) };
  }
  return { kind: 'object', items: Object.values(value).map(parse), keys: Object.keys(value) };
}

function print(node: Node): string {
  if (node.kind === 'raw') {
    return node.text;
  }
  if (node.kind === 'list') {
    return `[${node.items.map(print).join(',')}]`;
  }
  return `{${node.items.map((item, i) => `${JSON.stringify(node.keys[i])}:${print(item)}`).join(',')}}`;
}

const raw = (text: string): Node => ({ kind: 'raw', text });

/** Some node and its parent: descends from the root, and stops on the way or at a leaf. */
function choose(random: Random, root: Branch): { parent: Branch; at: number; node: Node } {
  let parent = root;
  for (;;) {
    const at = random.integer(0, parent.items.length - 1);
    const node = parent.items[at]!;
    if (node.kind === 'raw' || node.items.length === 0 || random.uniform() < 0.2) {
      return { parent, at, node };
    }
    parent = node;
  }
}

type Change = (random: Random, root: Branch, words: readonly string[]) => void;

const set: Change = (random, root, words) => {
  const { parent, at } = choose(random, root);
  parent.items[at] = raw(random.pick([...HOSTILE_VALUES, ...words]));
};
const word: Change = (random, root, words) => {
  const { parent, at } = choose(random, root);
  parent.items[at] = raw(random.pick(words.length > 0 ? words : HOSTILE_VALUES));
};

const CHANGES: readonly Change[] = [
  set,
  set,
  word,
  word,
  function tweak(random, root) {
    const { parent, at, node } = choose(random, root);
    if (node.kind !== 'raw') {
      return;
    }
    const value = parsed(node.text) ?? 0;
    if (typeof value === 'number') {
      parent.items[at] = raw(
        random.pick([
          ...[value + 1, value - 1, -value, 2 * value, value / 2, value * 1e6, value + 0.5, value ** 3].map(
            String,
          ),
          `${node.text}.0`,
          `"${node.text}"`,
          `${node.text}e1`,
        ]),
      );
    } else if (typeof value === 'string') {
      parent.items[at] = raw(JSON.stringify(tweakText(random, value)));
    } else {
      parent.items[at] = raw(random.pick(['true', 'false', '0', '1', '"true"']));
    }
  },
  function remove(random, root) {
    const { parent, at } = choose(random, root);
    parent.items.splice(at, 1);
    if (parent.kind === 'object') {
      parent.keys.splice(at, 1);
    }
    if (root.items.length === 0) {
      root.items.push(raw(random.pick(['', 'null'])));
    }
  },
  function double(random, root) {
    const { parent, at, node } = choose(random, root);
    if (parent === root) {
      return;
    }
    parent.items.splice(at, 0, structuredClone(node));
    if (parent.kind === 'object') {
      parent.keys.splice(at, 0, parent.keys[at]!);
    }
  },
  function rename(random, root) {
    const { parent, at } = choose(random, root);
    if (parent.kind === 'object') {
      parent.keys[at] = random.pick([...HOSTILE_KEYS, ...parent.keys, tweakText(random, parent.keys[at]!)]);
    }
  },
  function swap(random, root) {
    const [a, b] = [choose(random, root), choose(random, root)];
    [a.parent.items[a.at], b.parent.items[b.at]] = [structuredClone(b.node), structuredClone(a.node)];
  },
  function wrap(random, root) {
    const { parent, at, node } = choose(random, root);
    const key = random.pick(HOSTILE_KEYS);
    parent.items[at] =
      random.uniform() < 0.5
        ? { kind: 'list', items: [node] }
        : { kind: 'object', items: [node], keys: [key] };
  },
  function unwrap(random, root) {
    const { parent, at, node } = choose(random, root);
    if (node.kind !== 'raw' && node.items.length > 0) {
      parent.items[at] = random.pick(node.items);
    }
  },
  function add(random, root) {
    const { node } = choose(random, root);
    if (node.kind === 'raw') {
      return;
    }
    node.items.push(raw(random.pick(HOSTILE_VALUES)));
    if (node.kind === 'object') {
      node.keys.push(random.pick(HOSTILE_KEYS));
    }
  },
  function repeat(random, root) {
    const { parent, at, node } = choose(random, root);
    if (parent.kind !== 'list' || parent === root) {
      return;
    }
    const times = print(node).length < 200 ? random.pick([2, 10, 1000]) : 2;
    parent.items.splice(at, 0, ...Array.from({ length: times }, () => structuredClone(node)));
  },
];

function change(random: Random, root: Branch, words: readonly string[]): void {
  random.pick(CHANGES)(random, root, words);
}

/** The value of a JSON text; undefined where it is none. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** A text cut, doubled, or with something hostile in it. */
export function tweakText(random: Random, text: string): string {
  const at = random.integer(0, text.length);
  return random.pick([
    text.slice(0, at),
    text.slice(at),
    text + text,
    text.slice(0, at) + random.pick(HOSTILE_TEXTS) + text.slice(at),
    text.slice(0, at) + '\ud83d' + text.slice(at),
    text.toUpperCase(),
  ]);
}
