import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ggufLoraExport } from '../../src/export/gguf/lora.ts';
import { ggufExport } from '../../src/export/gguf/model.ts';
import type { GgufType } from '../../src/export/gguf/tensor-types.ts';
import { openSource, type Source } from '../../src/export/source.ts';
import { parseOwnRecipe } from '../../src/formats/recipe.ts';
import { fixtureFiles, memoryFolder } from '../support/memory-folder.ts';
import type { Expected } from '../support/model-case.ts';
import { LlamaModel } from './llama.ts';
import { apart, written } from './written.ts';

// Every GGUF of the fixtures in llama.cpp itself, beside what PyTorch computed from the same base and adapter.

const CASES = ['recipe_text', 'llama_sharded', 'qwen3', 'prequant', 'dynamic', 'untied_head', 'batch2'];
const fixture = (path: string) => memoryFolder(path, fixtureFiles(path));
const expectedOf = (name: string) =>
  JSON.parse(readFileSync(`tests/fixtures/cases/${name}/expected/expected.json`, 'utf8')) as Expected;

/** V1 on the values that training saw, which is what PyTorch's figures are of. */
async function sourceOf(name: string): Promise<Source> {
  const source = await openSource({
    base: fixture(`cases/${name}/base`),
    adapter: fixture(`cases/${name}/v1`),
    onto: 'nf4',
    otherBase: false,
  });
  const recipe = readFileSync(`tests/fixtures/cases/${name}/training_config.yaml`, 'utf8');
  return { ...source, doubleQuant: parseOwnRecipe(recipe, name).quantization.useDoubleQuant };
}

function logSoftmax(logits: readonly number[]): number[] {
  const largest = Math.max(...logits);
  const sum = logits.reduce((all, logit) => all + Math.exp(logit - largest), 0);
  return logits.map((logit) => logit - largest - Math.log(sum));
}

const NASTY = [
  'It\'s "12345" (and 3.14) — isn\'t it?',
  '  two  spaces,\ttabs\t\tand\r\nlines\n\n\n  indented\n',
  'Größe, naïve, Ελληνικά, кириллица, 中文 日本語 한국어, עברית العربية',
  '👩‍👩‍👧‍👦 🏳️‍🌈 🚀🚀 zero​width',
  'snake_case camelCase HTTPServer x1y22z333 ...!!!??? <|im_end|> <|nothing|>',
  "I'LL we'Ve they'd 'tis ''''",
  'a\u00a0b\u2003c\u0085d\ufeffe',
  '',
  ' ',
  '\u0000\u0007\u001b[0m',
];

describe.each(CASES)('%s', (name) => {
  const expected = expectedOf(name);

  it('f32: the same tokens, probabilities and answers', async () => {
    const source = await sourceOf(name);
    await using llama = await LlamaModel.open(await written(await ggufExport(source, 'f32', `${name}.gguf`)));
    const { tokenizer } = source;
    for (const text of NASTY) {
      expect(llama.model.tokenize(text, false), JSON.stringify(text)).toEqual(tokenizer.encode(text));
    }
    expect(llama.model.tokenize(expected.prompt, true)).toEqual(tokenizer.encodeScaffold(expected.prompt));
    expect(llama.model.tokens.shouldPrependBosToken).toBe(tokenizer.prefix.length > 0);
    expect(llama.model.fileInfo.metadata.tokenizer.chat_template).toBe(
      tokenizer.templates.byName.get('default')?.text,
    );
    const ours = logSoftmax(expected.v1_logits);
    expect(apart(await llama.logProbabilities(expected.prompt_ids), ours)).toBeLessThan(1e-2);
    const greedy = expected.v1_greedy;
    expect(await llama.greedy(expected.prompt_ids, greedy.length)).toEqual(greedy);
  });

  it.each<[GgufType, number]>([
    ['f16', 1e-2],
    ['bf16', 0.1],
    ['q8_0', 0.2],
    ['q4_k_m', 1.5],
  ])('%s: probabilities within %f', async (type, within) => {
    const file = await written(await ggufExport(await sourceOf(name), type, `${name}-${type}.gguf`));
    await using llama = await LlamaModel.open(file);
    const found = apart(await llama.logProbabilities(expected.prompt_ids), logSoftmax(expected.v1_logits));
    expect(found).toBeLessThan(within);
    console.log(`${name} ${type}: largest difference of a log-probability ${found.toFixed(4)}`);
  });

  it('gguf-lora: the same probabilities on the base alone', async () => {
    const source = await sourceOf(name);
    const alone = { ...source, adapter: { ...source.adapter, sources: [] } };
    const base = await written(await ggufExport(alone, 'f32', `${name}-base.gguf`));
    const lora = await written(ggufLoraExport(source, 'F32', `${name}-lora.gguf`));
    await using llama = await LlamaModel.open(base, lora);
    const found = await llama.logProbabilities(expected.prompt_ids);
    expect(apart(found, logSoftmax(expected.v1_logits))).toBeLessThan(1e-2);
    await using plain = await LlamaModel.open(base);
    expect(apart(await plain.logProbabilities(expected.prompt_ids), found)).toBeGreaterThan(0.1);
  });
});
