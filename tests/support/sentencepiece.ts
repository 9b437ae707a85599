import { openSource, type Source } from '../../src/export/source.ts';
import { fixtureBytes, fixtureFiles, memoryFolder } from './memory-folder.ts';

interface Fixture {
  tokenizer: Record<string, unknown>;
  variants: Record<Variant, Record<string, unknown>>;
  /** Texts whose control tokens stay text, and texts whose control tokens count. */
  texts: string[];
  marked: string[];
  ids: Record<Variant, { plain: number[][]; marked: number[][] }>;
}

/** How spaces become "▁": as in Llama 2's tokenizer.json, or by Metaspace in one of its schemes. */
export type Variant = 'llama2' | 'always' | 'first' | 'never';

/** By tests/reference/make_sentencepiece.py. */
export const SENTENCEPIECE = JSON.parse(
  new TextDecoder().decode(fixtureBytes('export/sentencepiece.json')),
) as Fixture;
export const VARIANTS = Object.keys(SENTENCEPIECE.variants) as Variant[];

/** A Llama model with this tokenizer. */
export function sentencePieceSource(variant: Variant, change: Record<string, unknown> = {}): Promise<Source> {
  const { tokenizer, variants } = SENTENCEPIECE;
  return openSource({
    base: memoryFolder('base', {
      ...fixtureFiles('cases/llama_sharded/base'),
      'tokenizer.json': JSON.stringify({ ...tokenizer, ...variants[variant], ...change }),
      'tokenizer_config.json': JSON.stringify({ bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>' }),
    }),
    adapter: memoryFolder('v1', fixtureFiles('cases/llama_sharded/v1')),
    onto: 'base',
    otherBase: true,
  });
}
