import { expect, test } from 'vitest';
import { TemplateFault } from '../../../../src/text/jinja/faults.ts';
import { Template } from '../../../../src/text/jinja/template.ts';
import { type Dict, fromJson } from '../../../../src/text/jinja/values.ts';

const messages = [
  { role: 'user', content: 'xé' },
  { role: 'assistant', content: 'yes' },
].map((message) => fromJson(message, 1) as Dict);
const doubling = (setting: string, use: string): string =>
  `{% set ns = namespace(x=${setting}) %}{% for i in range(60) %}${use}{% endfor %}`;
const again = (expression: string): string => `{% for i in range(99999) %}{{ ${expression} }}{% endfor %}`;
const LONG = "{% set a = 'x' * 3000000 %}";

/** Programs that exhaust time, memory or stack, by what they do. */
const HOSTILE: [what: string, template: string, kind: string][] = [
  ['a range', '{% for i in range(1000000000) %}x{% endfor %}', 'error'],
  ['loops in loops', '{% for a in range(9999) %}'.repeat(3) + '{% endfor %}'.repeat(3), 'limit'],
  ['printing', '{% for a in range(99999) %}'.repeat(2) + 'x'.repeat(50) + '{% endfor %}'.repeat(2), 'limit'],
  ['a text that doubles', doubling("'x'", '{% set ns.x = ns.x + ns.x %}'), 'limit'],
  ['a list that doubles', doubling('[1]', '{% set ns.x = ns.x + ns.x %}'), 'limit'],
  ['printing a list of itself', doubling('[1]', '{% set ns.x = [ns.x, ns.x] %}') + '{{ ns.x }}', 'limit'],
  ['its JSON', doubling('[1]', '{% set ns.x = [ns.x, ns.x] %}') + '{{ ns.x | tojson }}', 'limit'],
  ['an int that doubles', doubling('3', '{% set ns.x = ns.x * ns.x %}'), 'unsupported'],
  [
    'a deep list',
    '{% set ns = namespace(x=[]) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}',
    'error',
  ],
  ['a macro that calls itself', '{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}', 'error'],
  [
    'a macro that calls itself twice',
    '{% macro f(n) %}{% if n > 0 %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(40) }}',
    'limit',
  ],
  ['a recursive loop', '{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}', 'error'],
  ['blocks in blocks', '{% if true %}'.repeat(2000), 'limit'],
  ['brackets', `{{ ${'('.repeat(3000)}1${')'.repeat(3000)} }}`, 'limit'],
  ['signs', `{{ ${'not '.repeat(3000)}1 }}`, 'limit'],
  ['a long sum', `{{ 1${' + 1'.repeat(3000)} }}`, 'limit'],
  ['many attributes', `{{ messages${'.a'.repeat(9999)} }}`, 'limit'],
  ['many filters', `{{ messages${' | list'.repeat(9999)} }}`, 'limit'],
  ['a text times a billion', "{{ 'x' * 1000000000 }}", 'limit'],
  ['a list times a billion', '{{ [0] * 1000000000 }}', 'limit'],
  ['a power', '{{ 9 ** 9999999999 }}', 'unsupported'],
  ['a wide filter', "{{ 'x' | center(1000000000) }}", 'limit'],
  ['a wide method', "{{ 'x'.ljust(1000000000) }}", 'limit'],
  ['an indent', "{{ 'x' | indent(1000000000, true) }}", 'limit'],
  ['an indent of JSON', '{{ messages | tojson(indent=9999999) }}', 'limit'],
  ['a wide format', "{{ '%1000000000d' % 1 }}{{ '{:>1000000000}'.format('x') }}", 'limit'],
  ['a replacement', LONG + "{{ a.replace('x', a) }}", 'limit'],
  ['a join', LONG + '{{ a.join(a) }}', 'limit'],
  [
    'a search that starts anew everywhere',
    LONG + "{% set b = 'y' + 'x' * 1000000 %}" + again('b in a'),
    'limit',
  ],
  ['cutting', LONG + again("a.split('x') | length"), 'limit'],
  ['turning around', LONG + again('a | reverse | length'), 'limit'],
  ['titles', LONG + again('a.title() | length'), 'limit'],
  ['comparing', LONG + "{% set b = 'x' * 3000000 %}" + again('a == b'), 'limit'],
  ['sorting', again('range(99999) | sort(reverse=true) | first'), 'limit'],
  ['looking through a list', '{% set l = range(99999) | list %}' + again('i in l'), 'limit'],
  ['brackets of no end', '{'.repeat(900_000), 'limit'],
  ['digits', `{{ ${'1'.repeat(900_000)} }}`, 'syntax'],
  ['digits with underscores', `{{ ${'1_'.repeat(400_000)} }}`, 'syntax'],
  ['backslashes', `{{ '${'\\'.repeat(900_000)}`, 'syntax'],
  ['comments', '{#'.repeat(400_000), 'syntax'],
  ['raw blocks', '{% raw %}' + '{%'.repeat(400_000), 'syntax'],
  ['many tags', '{% set x = 1 %}'.repeat(60_000), 'limit'],
  ['much text', 'x'.repeat(1_000_001), 'limit'],
];

/** This finds a real hang, but not a slow machine. */
const HANG_MS = 20_000;

test.each(HOSTILE)('%s', { timeout: HANG_MS }, (_, template, kind) => {
  let fault: unknown;
  try {
    new Template(template).render({ messages, variables: new Map(), now: new Date(0), size: 9 });
  } catch (error) {
    fault = error;
  }
  expect(fault).toBeInstanceOf(TemplateFault);
  expect((fault as TemplateFault).kind).toBe(kind);
});

test('what long conversations need is within the limits', () => {
  const turn = fromJson({ role: 'user', content: 'word '.repeat(200) }, 1) as Dict;
  const template = new Template(
    '{% for m in messages %}{% set content = m.content | trim %}<|im_start|>{{ m.role }}\n' +
      "{% if '</think>' in content %}{{ content.split('</think>')[-1].lstrip('\\n') }}{% else %}{{ content }}{% endif %}" +
      '{% for other in messages[loop.index:] %}{% if other.role == "tool" %}{{ other.role }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}',
  );
  const many = Array.from({ length: 500 }, () => turn);
  const { text } = template.render({
    messages: many,
    variables: new Map(),
    now: new Date(0),
    size: 500 * 1000,
  });
  expect(text.length).toBeGreaterThan(500 * 999);
});
