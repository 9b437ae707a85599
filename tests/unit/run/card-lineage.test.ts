import { expect, it } from 'vitest';
import { bytesSource } from '../../../src/formats/byte-source.ts';
import { lineageLines, readCardLineage } from '../../../src/run/card-lineage.ts';

const [B, S] = ['b'.repeat(64), '5'.repeat(64)];
const identity = { base: B, source: S, train: S, validation: 'none', tokens: S, recipe: S };

const folderWith = (card: string | undefined) => ({
  name: 'adapter',
  list: () => Promise.resolve(['README.md']),
  open: () => Promise.resolve(card === undefined ? undefined : bytesSource('README.md', Buffer.from(card))),
});
const front = (lines: string, end = '\n# Card\n') => `---\nlibrary_name: peft\n${lines}\n---${end}`;

it.each([
  ['as it is written', front(lineageLines(identity)), { base: B, source: S }],
  ['of a fresh adapter', front(lineageLines({ ...identity, source: 'none' })), { base: B, source: 'none' }],
  ['with Windows line ends', front(lineageLines(identity)).replaceAll('\n', '\r\n'), { base: B, source: S }],
  ['with nothing after it', front(lineageLines(identity), ''), { base: B, source: S }],
])('a card %s', async (_, card, lineage) => {
  expect(await readCardLineage(folderWith(card))).toEqual(lineage);
});

it.each([
  ['no card', undefined],
  ['a card without front matter', `# retune:\n  base: ${B}\n`],
  ['a card of another tool', front('tags: [lora]')],
  ['a hash that is none', front(lineageLines({ ...identity, base: 'b'.repeat(63) }))],
  ['a source that is none', front(lineageLines({ ...identity, source: 'v1' }))],
  ['a list of hashes', front(`retune: [${B}, ${S}]`)],
  ['what is no YAML', front('retune: {')],
  ['a tag of a programming language', front(`${lineageLines(identity)}\nx: !!python/object:os.system {}`)],
  ['bytes that are no text', '\u0000---'],
  ['too long a text', front(lineageLines(identity), `\n${'x'.repeat(2e6)}`)],
])('%s: no lineage', async (_, card) => {
  expect(await readCardLineage(folderWith(card))).toBeUndefined();
});
