import { promptEncoder } from '../../../src/generate/prompt-form.ts';
import { checkChatTemplate } from '../../../src/text/chat-template.ts';
import { loadTokenizer } from '../../../src/text/load-tokenizer.ts';
import { encodeRows } from '../../../src/text/rows.ts';
import { source } from '../../support/memory-folder.ts';
import type { Random } from '../../support/random.ts';
import { tinyFiles } from '../../support/tiny-tokenizer.ts';
import { fixture } from '../fixtures.ts';
import { bytesOf, expectTrue, type Files, filesOf, folderOf, type Format, INPUT, textOf } from '../format.ts';
import { HOSTILE_TEXTS, mutateBytes } from '../mutate/bytes.ts';

const FILE = 'chat_template.jinja';

/** Expressions, tests and statements, including everything that takes unbounded time, memory or stack. */
const EXPRESSIONS = [
  ...[
    'messages',
    'messages[0]',
    'messages[-1].content',
    'messages[99]',
    'message',
    'tools',
    'bos_token',
    'none',
    'true',
    '1',
    '-1',
  ],
  ...[
    '1.5',
    "'x'",
    '"\\n"',
    '[]',
    '{}',
    '[1, 2]',
    "{'a': 1}",
    '(1, 2)',
    'loop.index',
    'loop.last',
    'undefined_name',
    'x.y.z',
  ],
  ...[
    "'x' * 1000000000",
    '[0] * 1000000000',
    "'ab' * -1",
    '10 ** 400',
    '2 ** 2 ** 2 ** 2 ** 2 ** 2',
    '1 / 0',
    '1 % 0',
    '1 // 0',
  ],
  ...[
    'range(1000000000)',
    'range(3)',
    'range(0, 10, 0)',
    'range(-1)',
    "'x' | center(1000000000)",
    "'x' | indent(1000000000)",
  ],
  ...[
    'messages | tojson',
    'messages | tojson(indent=1000000)',
    "messages | map(attribute='content') | join",
    'messages | length',
  ],
  ...[
    "messages | selectattr('role', 'equalto', 'user') | list",
    'messages | reverse | list',
    'messages | groupby("role")',
    "'a' ~ 1",
  ],
  ...[
    "'x'.__class__.__mro__",
    "''.constructor.constructor('return 1')()",
    'messages.constructor',
    '__proto__',
    'namespace.__proto__',
  ],
  ...[
    "messages[0]['__proto__']",
    "{'__proto__': 1}",
    'lipsum',
    'cycler',
    'self',
    'raise_exception("no")',
    "strftime_now('%Y')",
  ],
  ...[
    "messages[0].content.split('x')",
    "messages[0].content.replace('', 'xx')",
    "'{0}'.format(1)",
    "'%s' % 1",
    'messages is defined',
  ],
  ...[
    'messages is string',
    'messages is mapping',
    'not messages',
    'a if b else c',
    'messages[::-1]',
    'messages[1:]',
    "'x' in messages",
  ],
  ...[
    'x'.repeat(5000),
    '('.repeat(3000) + '1' + ')'.repeat(3000),
    '[' + '['.repeat(500),
    'not '.repeat(3000) + '1',
    '1' + ' + 1'.repeat(3000),
  ],
  ...["'" + 'z'.repeat(20000) + "'", 'messages' + '.a'.repeat(1000), 'messages' + ' | trim'.repeat(1000)],
];
const STATEMENTS = [
  '{% for i in range(1000000000) %}x{% endfor %}',
  '{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}',
  "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s | length }}",
  '{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = ns.l + ns.l %}{% endfor %}',
  '{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}',
  '{% macro f(n) %}{% if n > 0 %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(40) }}',
  '{% macro m(x, y=1) %}{{ x }}{{ y }}{% endmacro %}{{ m(1) }}',
  '{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}',
  '{% if true %}'.repeat(2000),
  '{% if true %}'.repeat(500) + 'x' + '{% endif %}'.repeat(500),
  ...[
    '{% for m in messages %}',
    '{% endfor %}',
    '{% if messages %}',
    '{% elif true %}',
    '{% else %}',
    '{% endif %}',
    '{% break %}',
    '{% continue %}',
  ],
  ...[
    '{% set x = 1 %}',
    '{% set x %}a{% endset %}',
    '{% generation %}',
    '{% endgeneration %}',
    '{% raw %}{{ x }}{% endraw %}',
    '{# #}',
    '{#',
  ],
  ...[
    '{% call m() %}{% endcall %}',
    '{% filter upper %}x{% endfilter %}',
    '{% include "x" %}',
    '{% import "os" as os %}',
    '{% extends "y" %}',
  ],
  ...[
    '{{',
    '}}',
    '{%',
    '%}',
    '{{ }}',
    '{% %}',
    '{%- ',
    ' -%}',
    '{{-',
    '-}}',
    '{{ messages }}',
    '{% do messages.append(1) %}',
    '{% unknown %}',
  ],
];

const TOKENS = /\{\{-?|-?\}\}|\{%-?|-?%\}|\{#|#\}|'[^']*'|"[^"]*"|\w+|\s+|./gs;

/** A template with tokens, expressions or statements replaced. */
function mutateTemplate(random: Random, bytes: Uint8Array): Uint8Array {
  if (random.uniform() < 0.1) {
    return mutateBytes(random, bytes, [bytes], [...STATEMENTS, ...EXPRESSIONS]);
  }
  const tokens = textOf(bytes).match(TOKENS) ?? [];
  do {
    const at = random.integer(0, tokens.length);
    const other = random.integer(0, Math.max(0, tokens.length - 1));
    const expression = random.pick(EXPRESSIONS);
    switch (random.integer(0, 7)) {
      case 0:
        tokens.splice(at, random.integer(1, 4));
        break;
      case 1:
        tokens.splice(at, 0, ...tokens.slice(other, other + random.integer(1, 12)));
        break;
      case 2:
        tokens.splice(at, 0, random.pick(HOSTILE_TEXTS));
        break;
      case 3:
      case 4: {
        // In place of a name or literal, so that the rest stays valid.
        const names = [...tokens.keys()].filter((i) => /^[\w'"]/.test(tokens[i]!));
        if (names.length > 0) {
          tokens[random.pick(names)] = expression;
        }
        break;
      }
      case 5:
        tokens.splice(at, 0, `{{ ${expression} }}`);
        break;
      case 6: {
        const ends = [...tokens.keys()].filter((i) => /[%}]\}$/.test(tokens[i]!));
        tokens.splice(
          ends.length > 0 ? random.pick(ends) + 1 : 0,
          0,
          random.pick([...STATEMENTS, `{{ ${expression} }}`]),
        );
        break;
      }
      default:
        tokens.splice(random.pick([0, tokens.length]), 0, random.pick(STATEMENTS));
    }
  } while (random.uniform() < 0.3);
  return bytesOf(tokens.join(''));
}

export const ROWS = bytesOf(
  [
    {
      messages: [
        { role: 'user', content: 'What about pump 7?' },
        { role: 'assistant', content: 'It is in Porto.' },
      ],
    },
    {
      messages: [
        { role: 'system', content: 'x' },
        { role: 'user', content: '<|im_end|>' },
        { role: 'assistant', content: ' y ' },
      ],
    },
  ]
    .map((row) => JSON.stringify(row))
    .join('\n'),
);

export const TINY: Files = filesOf(
  tinyFiles({
    special: ['<|im_start|>', '<|im_end|>'],
    config: { eos_token: '<|im_end|>' },
  }),
);

/** chat_template.jinja. */
export const template: Format = {
  name: 'template',
  seeds: () =>
    ['cases/chat_messages/base', 'cases/llama_sharded/base', 'cases/qwen3/base']
      .map((folder) => ({ [FILE]: fixture(`${folder}/${FILE}`) }))
      .concat([{ [FILE]: fixture('text/qwen2_5_chat_template.jinja') }]),
  mutate: (random, files) => ({ [FILE]: mutateTemplate(random, files[FILE]!) }),
  async read(files) {
    const tokenizer = await loadTokenizer(folderOf({ ...TINY, ...files }));
    checkChatTemplate(tokenizer);
    const { rows } = await encodeRows(source(`${INPUT}/rows.jsonl`, ROWS), tokenizer, { maxLength: 512 });
    const ids = [
      ...rows.flatMap((row) => [...row.ids]),
      ...promptEncoder(tokenizer, 'chat')('What about pump 7?'),
    ];
    expectTrue(
      ids.every((id) => id < tokenizer.vocabSize),
      `ids are ${ids.join(' ')}`,
    );
  },
};
