// References: llama.cpp, conversion/base.py (get_vocab_base, _set_vocab_llama_hf) and gguf-py/gguf/vocab.py.
import { readJson } from '../../formats/json.ts';
import { quote } from '../../formats/quote.ts';
import { MAX_BYTES } from '../../formats/read-text.ts';
import { UserError } from '../../formats/user-error.ts';
import { counted } from '../../formats/words.ts';
import type { TextTokenizer } from '../../text/tokenizer.ts';
import type { Source } from '../source.ts';
import { bool, type MetaValue, string, u32 } from './file.ts';
import { preTokenizerName } from './pre-tokenizers.ts';
import { mergeRanks, OTHER, sentencePiece, stepsOf, type TokenizerKind } from './sentencepiece.ts';

type JsonObject = Record<string, unknown>;

/** GGUF's kinds of tokens. */
const KIND = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

interface Token {
  text: string;
  kind: number;
  /** The lower, the later it is merged; used by SentencePiece-type tokenizers only. */
  score: number;
}

/** The metadata of a tokenizer, and sentences about what llama.cpp does otherwise. */
export interface GgufVocabulary {
  readonly metadata: readonly (readonly [string, MetaValue])[];
  readonly notes: readonly string[];
}

/** The tokenizer of a base as llama.cpp has it. Throws UserError for one that it cannot have. */
export async function vocabularyOf({ base, tokenizer }: Source): Promise<GgufVocabulary> {
  const file = (await base.folder.open('tokenizer.json'))!;
  const json = (await readJson(file, {}, MAX_BYTES.tokenizer)) as JsonObject;
  const model = json['model'] as JsonObject;
  if (typeof model['end_of_word_suffix'] === 'string' && model['end_of_word_suffix'] !== '') {
    throw new UserError(
      `${file.name}: model.end_of_word_suffix is ${quote(model['end_of_word_suffix'])}, which no tokenizer of llama.cpp has; ${OTHER}.`,
    );
  }
  const kind = model['byte_fallback'] === true ? sentencePiece(json, file.name) : byteLevel(json, file.name);
  const { vocabSize } = base.config;
  const tokens = tokensOf(model, tokenizer, vocabSize, kind.isBytes);
  const scores: [string, MetaValue][] = kind.isBytes
    ? [['tokenizer.ggml.scores', { kind: 'f32s', value: tokens.map(({ score }) => score) }]]
    : [['tokenizer.ggml.merges', { kind: 'strings', value: mergesOf(model) }]];
  const past = tokenizer.vocabSize - vocabSize;
  return {
    metadata: [
      ['tokenizer.ggml.model', string(kind.model)],
      ['tokenizer.ggml.pre', string(kind.pre)],
      ['tokenizer.ggml.tokens', { kind: 'strings', value: tokens.map(({ text }) => text) }],
      ['tokenizer.ggml.token_type', { kind: 'i32s', value: tokens.map((token) => token.kind) }],
      ...scores,
      ...kind.extra,
      ...specialIds(base.eosIds, tokenizer),
      ...templates(tokenizer),
    ],
    notes: [
      ...kind.notes,
      ...(past > 0
        ? [`${file.name}: ${counted(past, 'token')} beyond the embedding's ${vocabSize} rows are left out.`]
        : []),
    ],
  };
}

/** GPT-2's kind: bytes as characters, and a pattern that splits a text into words. */
function byteLevel(json: JsonObject, file: string): TokenizerKind {
  const pre = preTokenizerName(json);
  if (pre === undefined) {
    throw new UserError(
      `${file}: pre_tokenizer is ${quote(json['pre_tokenizer'])}, which is none that llama.cpp has a name for among those known here (those of Llama 3, Qwen2, GPT-2, SmolLM, Tekken and GPT-4o); ${OTHER}.`,
    );
  }
  const normalizers = stepTypes(json['normalizer']);
  const other = normalizers.find((type) => !HARMLESS.includes(type));
  if (other !== undefined) {
    throw new UserError(`${file}: the normalizer ${quote(other)} is none that llama.cpp has; ${OTHER}.`);
  }
  return {
    model: 'gpt2',
    pre,
    isBytes: false,
    extra: [],
    notes:
      normalizers.length > 0
        ? [
            `llama.cpp does not normalize texts (${normalizers.join(', ')}) as this tokenizer does: a text with combining accents that have a single character may get other tokens there.`,
          ]
        : [],
  };
}

/** Normalizers that leave nearly all texts as they are. */
const HARMLESS = ['NFC'];

/** The types of a normalizer's or pre-tokenizer's steps. */
const stepTypes = (step: unknown): string[] => stepsOf(step).map(({ type }) => String(type));

/** Every row of the embedding's token. */
function tokensOf(model: JsonObject, { added }: TextTokenizer, size: number, isBytes: boolean): Token[] {
  const unknown = model['unk_token'];
  const ranks = isBytes ? mergeRanks(model) : undefined;
  const tokens: Token[] = Array.from({ length: size }, (_, id) => ({
    text: `[PAD${id}]`,
    kind: KIND.unused,
    score: -10_000,
  }));
  for (const [text, id] of Object.entries(model['vocab'] as Record<string, number>)) {
    if (id < size) {
      const isByte = isBytes && /^<0x[0-9A-F]{2}>$/.test(text);
      const kind = isByte ? KIND.byte : isBytes && text === unknown ? KIND.unknown : KIND.normal;
      tokens[id] = { text, kind, score: ranks ? -(ranks.get(text) ?? ranks.size + id) : 0 };
    }
  }
  for (const { id, content, special } of added.byId.values()) {
    if (id < size && !(isBytes && content === unknown)) {
      tokens[id] =
        special || looksSpecial(content)
          ? { text: content, kind: KIND.control, score: -1000 }
          : { text: isBytes ? content.replaceAll('▁', ' ') : content, kind: KIND.userDefined, score: -1000 };
    }
  }
  return tokens;
}

/** Control tokens that some models do not mark as such. */
const looksSpecial = (text: string): boolean =>
  /^(?:<\|.*\|>|<｜.*｜>|<unused.*>)$/s.test(text) ||
  ['<pad>', '<mask>', '<2mass>', '[@BOS@]'].includes(text);

/** Merges as two words; a space within one is written as byte-level tokenizers write it. */
function mergesOf(model: JsonObject): string[] {
  return (model['merges'] as (string | [string, string])[]).map((merge) =>
    typeof merge === 'string' ? merge : merge.map((part) => part.replaceAll(' ', 'Ġ')).join(' '),
  );
}

/** Which tokens begin, end and pad a text. Those that end an answer here end it there, up to three. */
function specialIds(eosIds: readonly number[], tokenizer: TextTokenizer): [string, MetaValue][] {
  const { named, prefix, suffix } = tokenizer;
  const bos = named.bos?.id ?? prefix[0];
  const eos = named.eos?.id ?? eosIds[0];
  const ends = new Set([...eosIds, named.pad?.id].filter((id) => id !== undefined && id !== eos));
  const [eot, eom] = ends;
  const ids = { bos, eos, eot, eom, unknown: named.unk?.id, padding: named.pad?.id };
  return [
    ...Object.entries(ids)
      .filter((entry): entry is [string, number] => entry[1] !== undefined)
      .map(([name, id]): [string, MetaValue] => [`tokenizer.ggml.${name}_token_id`, u32(id)]),
    ['tokenizer.ggml.add_bos_token', bool(bos !== undefined && prefix[0] === bos)],
    ['tokenizer.ggml.add_eos_token', bool(eos !== undefined && suffix.at(-1) === eos)],
  ];
}

function templates({ templates }: TextTokenizer): [string, MetaValue][] {
  const named = [...templates.byName].filter(([name]) => name !== 'default');
  const standard = templates.byName.get('default');
  return [
    ...(standard ? [['tokenizer.chat_template', string(standard.text)] as [string, MetaValue]] : []),
    ...named.map(([name, { text }]): [string, MetaValue] => [
      `tokenizer.chat_template.${name}`,
      string(text),
    ]),
    ...(named.length > 0
      ? [
          ['tokenizer.chat_templates', { kind: 'strings', value: named.map(([name]) => name) }] as [
            string,
            MetaValue,
          ],
        ]
      : []),
  ];
}
