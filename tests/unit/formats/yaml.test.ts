import { describe, expect, it } from 'vitest';
import { parseYaml, writeYaml } from '../../../src/formats/yaml.ts';

const parse = (text: string): unknown => parseYaml(text, 'r.yaml');
const long = (piece: string): string => piece.repeat(Math.floor(65_536 / piece.length));

describe('parseYaml', () => {
  it.each([
    ['', null],
    ['# nothing\n', null],
    ['a: yes\nb: Off\nc: y\nd: N', { a: true, b: false, c: 'y', d: 'N' }],
    ['a: 2024-01-31', { a: '2024-01-31' }],
    ['a: !!str 1\nb: !!int "2"\nc: !!seq [!!null ~]', { a: '1', b: 2, c: [null] }],
    ['%YAML 1.2\n---\na: yes', { a: true }],
    ['a: &x [1]\nb: *x', { a: [1], b: [1] }],
    ['a: &x {k: 1, l: 2}\nb:\n  <<: *x\n  l: 3', { a: { k: 1, l: 2 }, b: { k: 1, l: 3 } }],
  ])('reads %j', (text, value) => {
    expect(parse(text)).toEqual(value);
  });

  it.each(['!!omap [a: 1]', '!!set {a}', '!!pairs [a: 1]', '!!binary aGk=', '!!timestamp 2024-01-31'])(
    'refuses %s by the name of its tag',
    (value) => {
      const tag = value.split(' ')[0]!;
      expect(() => parse(`\na: ${value}`)).toThrow(
        new RegExp(
          `^r.yaml: not valid YAML: the tag "${tag}" is not allowed at line 2, column \\d+; correct the file.$`,
        ),
      );
    },
  );

  it.each([
    ['a: !!js/function "x"', 'the tag "!!js/function" is not allowed at line 1, column 18'],
    ['a: !!python/object/apply:os.system [x]', 'the tag "!!python/object/apply:os.system" is not allowed'],
    ['a: !mine 1', 'the tag "!mine" is not allowed at line 1, column 10'],
    ['? !mine a\n: 1', 'the tag "!mine" is not allowed at line 1, column 9'],
    ['a: 1\nb: 2\na: 3', 'the key "a" occurs twice at line 3, column 1'],
    ['a: {b: 1, "b": 2}', 'the key "b" occurs twice at line 1, column 11'],
    ['? [a, b]\n: 1', 'a key is no text at line 1, column 3'],
    ['a: *x', 'the alias "x" names nothing before it at line 1, column 4'],
    ['a: &x [1, *x]', 'the alias "x" stands within what it names at line 1, column 11'],
    ['&x a: &y {b: *y}', 'the alias "y" stands within what it names at line 1, column 14'],
    ['<<: 1', 'Merge sources must be maps or map aliases'],
    ['a: 1\n---\nb: 2', 'it holds several documents, expected one'],
    ['a: b: c', 'Nested mappings are not allowed in compact mappings at line 1, column 4'],
  ])('refuses %j', (text, problem) => {
    expect(() => parse(text)).toThrow(`r.yaml: not valid YAML: ${problem}`);
  });

  it.each(['[', '{a: ', '- ', '? ', '[{'])('refuses thousands of %j', (piece) => {
    expect(() => parse(long(piece))).toThrow('r.yaml: not valid YAML: it is nested too deeply;');
  });

  it.each(['&a ', '!a ', '"', 'a: %\n', '%a b\n'])('tells one error of thousands of %j', (piece) => {
    expect(() => parse(long(piece))).toThrow(/^r\.yaml: not valid YAML: .{1,200}; correct the file\.$/);
  });

  it.each(['[*A, *A, *A, *A, *A, *A, *A]', '{<<: [*A, *A, *A, *A, *A, *A, *A]}'])(
    'refuses what %s makes of a few lines',
    (value) => {
      const lines = Array.from(
        { length: 9 },
        (_, i) => `k${i + 1}: &k${i + 1} ${value.replaceAll('A', `k${i}`)}`,
      );
      expect(() => parse(['k0: &k0 {x: 1}', ...lines].join('\n'))).toThrow(
        'r.yaml: not valid YAML: it stands for more than 10,000 values; correct the file.',
      );
    },
  );

  it('refuses a text that is too long', () => {
    expect(() => parse('#'.repeat(65_537))).toThrow(
      'r.yaml: it has 65,537 characters, expected at most 65,536 of YAML; name the file with the settings.',
    );
    expect(parse('#'.repeat(65_536))).toBe(null);
  });

  it('reads back what it writes', () => {
    const value = { a: ['y', 'no', '2024-01-31', '1:30', 1.5, null, true], b: { 'c d': '' } };
    expect(parse(writeYaml(value))).toEqual(value);
  });
});
