import { loadTokenizer } from '../../src/text/load-tokenizer.ts';
import type { TextTokenizer } from '../../src/text/tokenizer.ts';
import { memoryFolder } from './memory-folder.ts';

/** A byte-level tokenizer without merges: one token a byte (id = byte), then the added tokens. */
export function tinyTokenizerJson(special: string[], ordinary: string[] = []): Record<string, unknown> {
  // GPT-2's alphabet: printable bytes stand for themselves, the others for the characters from U+0100 on.
  let spare = 0x100;
  const printable = (byte: number): boolean =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  const vocab = Object.fromEntries(
    Array.from({ length: 256 }, (_, byte) => [String.fromCharCode(printable(byte) ? byte : spare++), byte]),
  );
  const added = [...special, ...ordinary].map((content, i) => ({
    id: 256 + i,
    content,
    special: i < special.length,
  }));
  return {
    added_tokens: added,
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
    post_processor: null,
    decoder: { type: 'ByteLevel' },
    model: { type: 'BPE', vocab, merges: [] },
  };
}

export interface TinyTokenizer {
  special: string[];
  ordinary?: string[];
  config?: Record<string, unknown>;
  json?: Record<string, unknown>;
  template?: string;
}

/** The files of a model folder with a tiny tokenizer. */
export function tinyFiles({
  special,
  ordinary,
  config,
  json,
  template,
}: TinyTokenizer): Record<string, string> {
  return {
    'tokenizer.json': JSON.stringify({ ...tinyTokenizerJson(special, ordinary), ...json }),
    'tokenizer_config.json': JSON.stringify({ ...config }),
    ...(template === undefined ? {} : { 'chat_template.jinja': template }),
  };
}

export function tinyTokenizer(options: TinyTokenizer): Promise<TextTokenizer> {
  return loadTokenizer(memoryFolder('tiny', tinyFiles(options)));
}
