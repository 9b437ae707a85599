import { parseRecipe, recipeToYaml } from '../../../src/formats/recipe.ts';
import { UserError } from '../../../src/formats/user-error.ts';
import { decodeUtf8 } from '../../../src/formats/utf8.ts';
import { CASES, fixture } from '../fixtures.ts';
import { expectSame, type Format, INPUT } from '../format.ts';
import { HOSTILE_TEXTS } from '../mutate/bytes.ts';
import { mutateLines } from '../mutate/lines.ts';

const FILE = 'training_config.yaml';

/** Every kind of YAML value, well-formed or not. */
const WORDS = [
  ...[
    '0',
    '-1',
    '1.5',
    '5e-5',
    '1e400',
    '.inf',
    '.nan',
    '0x10',
    '010',
    '1_000',
    '1:30',
    '2001-01-01',
    '~',
    'null',
  ],
  ...[
    'yes',
    'no',
    'on',
    'True',
    'FALSE',
    '""',
    "''",
    '"\\ud800"',
    "'it''s'",
    '"\\x1b[31m"',
    '\u0085',
    '@x',
    '`x',
    '%x',
  ],
  ...[
    '[]',
    '{}',
    '[1, 2',
    '{a: 1',
    '[[[]]]',
    '{a: {b: {c: 1}}}',
    '- 1',
    '? a',
    ': b',
    '|',
    '>',
    '|2-',
    '# note',
  ],
  ...[
    '&a 1',
    '*a',
    '&a [*a]',
    '<<: *a',
    '<<: {r: 1}',
    '<<: 1',
    '!!omap [a: 1]',
    '!!set {a}',
    '!!binary aGk=',
    '!!str 1',
  ],
  ...[
    '!!python/object/apply:os.system [ls]',
    '!!js/function "x"',
    '!!float 1',
    '!!int "x"',
    '!!timestamp x',
    '!local x',
  ],
  ...[
    '---',
    '...',
    '%YAML 1.2',
    '%TAG ! x',
    '__proto__: 1',
    'constructor: {}',
    'toString: x',
    'lora: 1',
    'training: []',
  ],
  ...[
    'seed: 4294967296',
    'model: {name: "\\e[2J"}',
    'q_proj',
    'all-linear',
    '[q_proj, v_proj]',
    'cosine',
    'nf4',
  ],
  ...[
    '9007199254740993',
    '123456789012345678901234567890',
    '[' + 'a, '.repeat(500) + ']',
    '['.repeat(2000),
    '{a: '.repeat(500),
  ],
  ...['x: '.repeat(300), '&a [x, x]', '"' + 'z'.repeat(5000) + '"', '- '.repeat(500), '!'.repeat(300)],
  ...HOSTILE_TEXTS,
];

/** training_config.yaml. */
export const recipe: Format = {
  name: 'recipe',
  seeds: () => CASES.map((name) => ({ [FILE]: fixture(`cases/${name}/training_config.yaml`) })),
  mutate: (random, files, seeds) => ({
    [FILE]: mutateLines(
      random,
      files[FILE]!,
      WORDS,
      seeds.map((seed) => seed[FILE]!),
    ),
  }),
  read(files) {
    const text = decodeUtf8(files[FILE]!);
    if (text === undefined) {
      throw new UserError(`${INPUT}/${FILE}: not valid UTF-8; save the file as UTF-8.`);
    }
    const { recipe: read } = parseRecipe(text, `${INPUT}/${FILE}`);
    expectSame(parseRecipe(recipeToYaml(read), FILE).recipe, read, 'written and read again');
    return Promise.resolve();
  },
};
