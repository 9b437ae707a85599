import { checkChatTemplate } from '../../../src/text/chat-template.ts';
import { loadTokenizer } from '../../../src/text/load-tokenizer.ts';
import { encodeRows } from '../../../src/text/rows.ts';
import type { TextTokenizer } from '../../../src/text/tokenizer.ts';
import { source } from '../../support/memory-folder.ts';
import { tinyFiles } from '../../support/tiny-tokenizer.ts';
import { CASES, fixture } from '../fixtures.ts';
import {
  bytesOf,
  expectSame,
  expectTrue,
  type Files,
  filesOf,
  folderOf,
  type Format,
  INPUT,
} from '../format.ts';
import { mutateJson } from '../mutate/json.ts';

const FILES = ['tokenizer.json', 'tokenizer_config.json'];
const NORMALIZERS = [
  ...[
    '{"type":"NFC"}',
    '{"type":"NFKD"}',
    '{"type":"Lowercase"}',
    '{"type":"Prepend","prepend":"▁"}',
    '{"type":"StripAccents"}',
  ],
  ...[
    '{"type":"Strip","strip_left":true,"strip_right":true}',
    '{"type":"Precompiled"}',
    '{"type":"BertNormalizer"}',
  ],
  '{"type":"Replace","pattern":{"String":" "},"content":"▁"}',
  '{"type":"Replace","pattern":{"Regex":"(a+)+b"},"content":"x"}',
  `{"type":"Sequence","normalizers":[${Array.from({ length: 24 }, () => '{"type":"Replace","pattern":{"Regex":"."},"content":"xx"}').join()}]}`,
  '{"type":"Sequence","normalizers":[]}',
];
const PRE_TOKENIZERS = [
  ...[
    '{"type":"ByteLevel","add_prefix_space":true,"use_regex":true}',
    '{"type":"Whitespace"}',
    '{"type":"Metaspace","replacement":"▁"}',
  ],
  ...[
    '{"type":"Split","pattern":{"Regex":"(a+)+b"},"behavior":"Isolated","invert":false}',
    '{"type":"Digits","individual_digits":true}',
  ],
  ...[
    '{"type":"Split","pattern":{"Regex":"["},"behavior":"Isolated"}',
    '{"type":"Split","pattern":{"String":"x"},"behavior":"Nowhere"}',
  ],
  ...[
    '{"type":"Sequence","pretokenizers":[{"type":"Punctuation"}]}',
    '{"type":"Split","pattern":{"Regex":""},"behavior":"Removed"}',
  ],
];
const POST_PROCESSORS = [
  '{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<none>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":{}}',
  '{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<|im_end|>","type_id":0}}],"pair":[],"special_tokens":{"<|im_end|>":{"id":"<|im_end|>","ids":[9],"tokens":["<|im_end|>"]}}}',
  '{"type":"ByteLevel","trim_offsets":false}',
  '{"type":"Sequence","processors":[]}',
  '{"type":"RobertaProcessing","sep":["x",1],"cls":["y",2]}',
];
const WORDS = [
  ...NORMALIZERS,
  ...PRE_TOKENIZERS,
  ...POST_PROCESSORS,
  ...[
    '{"id":-1,"content":"x"}',
    '{"id":1.5,"content":"x"}',
    '{"id":"7","content":"x"}',
    '{"id":4294967295,"content":"x","special":true}',
  ],
  ...[
    '{"id":5,"content":""}',
    '{"id":5,"content":"a","special":true,"lstrip":true,"rstrip":true}',
    '{"id":5,"content":"a","single_word":true}',
  ],
  ...[
    '"BPE"',
    '"WordPiece"',
    '"Unigram"',
    '{"type":"BPE","vocab":{},"merges":[]}',
    '"a b"',
    '["a","b"]',
    '["a"]',
    '"ab"',
    '"a b c"',
  ],
  ...[
    '{"type":"ByteLevel"}',
    '{"type":"ByteFallback"}',
    '{"type":"Fuse"}',
    '{"type":"Sequence","decoders":[{"type":"Replace"}]}',
  ],
  ...[
    '"<|im_end|>"',
    '{"content":"<|im_end|>"}',
    '{"content":7}',
    '"{% for %}"',
    '[{"name":"default","template":"x"}]',
  ],
];

const ROWS = bytesOf(
  ['{"text": "What about é 東京 <|im_end|> 27.7 €?"}', `{"text": "${'a'.repeat(40)}"}`].join('\n'),
);

/** tokenizer.json and tokenizer_config.json. */
export const tokenizer: Format = {
  name: 'tokenizer',
  cut: FILES,
  seeds: () => [tiny(), ...['chat_messages', 'llama_sharded'].map(caseFiles)],
  large: () => CASES.map(caseFiles),
  mutate(random, files) {
    const file = random.pick(['tokenizer.json', 'tokenizer.json', 'tokenizer.json', 'tokenizer_config.json']);
    return { ...files, [file]: mutateJson(random, files[file]!, WORDS) };
  },
  async read(files) {
    const read = await loadTokenizer(folderOf(files));
    checkChatTemplate(read);
    checkIds(read, [...read.prefix, ...read.suffix, read.eosId ?? 0, read.padId ?? 0]);
    const { rows } = await encodeRows(source(`${INPUT}/rows`, ROWS), read, { maxLength: 512 });
    for (const { ids } of rows) {
      checkIds(read, [...ids]);
      const stream = read.stream();
      const pieces = [...ids].map((id) => stream.push(id));
      expectTrue(
        typeof read.decode(ids) === 'string' && pieces.every((piece) => typeof piece === 'string'),
        'it decodes to no text',
      );
    }
    const again = await encodeRows(source(`${INPUT}/rows`, ROWS), read, { maxLength: 512 });
    expectSame(again.rows, rows, 'encoded once more');
  },
};

function caseFiles(name: string): Files {
  const own = [...FILES, 'chat_template.jinja'];
  return Object.fromEntries(own.map((file) => [file, fixture(`cases/${name}/base/${file}`)]));
}

/** Ids are row numbers of an embedding. */
function checkIds({ vocabSize }: TextTokenizer, ids: readonly number[]): void {
  const wrong = ids.find((id) => !Number.isSafeInteger(id) || id < 0 || id >= vocabSize);
  expectTrue(wrong === undefined, `an id is ${String(wrong)}, of a vocabulary of ${vocabSize}`);
  expectTrue(vocabSize <= 2 ** 32, `the vocabulary has ${vocabSize} tokens`);
}

function tiny(): Files {
  return filesOf(
    tinyFiles({
      special: ['<|im_start|>', '<|im_end|>'],
      ordinary: ['<think>'],
      config: { eos_token: '<|im_end|>', pad_token: { content: '<|im_end|>' } },
      template:
        "{%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{%- endfor %}",
    }),
  );
}
