import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeFolder } from '../../src/cli/node-files.ts';
import { writeExportFile } from '../../src/cli/write-export.ts';
import type { BatchTestFile } from '../../src/comparison/results.ts';
import { ggufExport } from '../../src/export/gguf/model.ts';
import type { GgufType } from '../../src/export/gguf/tensor-types.ts';
import { openSource } from '../../src/export/source.ts';
import { promptEncoder, stopIds } from '../../src/generate/prompt-form.ts';

const MAX_NEW_TOKENS = 32;

interface Answer {
  question: string;
  /** By Retune and by llama.cpp. */
  ours: string;
  theirs: string;
  same: boolean;
  /** The difference in log-probability of llama.cpp's best two tokens where the answers part; Infinity if they do not. */
  margin: number;
}

/**
 * Greedy answers to the demo's questions in llama.cpp, from V2 merged onto the weights that training saw, beside those
 * that `retune demo` wrote into `output`.
 */
export async function answersInLlama(
  output: string,
  type: GgufType,
): Promise<{ answers: Answer[]; told: string }> {
  const { LlamaModel } = await import('../llama/llama.ts');
  const source = await openSource({
    base: await nodeFolder('public/demo/base'),
    adapter: await nodeFolder(join(output, 'v2')),
    onto: 'nf4',
    otherBase: false,
  });
  const work = mkdtempSync(join(tmpdir(), 'retune-demo-gguf-'));
  const path = join(work, 'v2.gguf');
  const { files } = await ggufExport(source, type, 'v2.gguf');
  await writeExportFile(path, files[0]!, {
    signal: new AbortController().signal,
    onProgress: () => undefined,
  });
  const { results } = JSON.parse(readFileSync(join(output, 'answers_v2.json'), 'utf8')) as BatchTestFile;
  const { tokenizer, base } = source;
  const textOf = (ids: readonly number[]) => tokenizer.decode(ids, { skipSpecial: true }).trim();
  const promptOf = promptEncoder(tokenizer, 'text');
  const stops = stopIds(base, tokenizer);
  const answers: Answer[] = [];
  {
    await using llama = await LlamaModel.open(path);
    for (const { question, model_answer: ours } of results) {
      const prompt = promptOf(question);
      const ids = await llama.greedy(prompt, MAX_NEW_TOKENS, stops);
      const theirs = textOf(ids);
      const same = theirs === ours;
      let at = 0;
      while (at < ids.length && ours.startsWith(textOf(ids.slice(0, at + 1)))) {
        at++;
      }
      const [best, second] = same
        ? [Infinity, 0]
        : (await llama.logProbabilities([...prompt, ...ids.slice(0, at)])).toSorted((a, b) => b - a);
      const margin = best! - second!;
      answers.push({ question, ours, theirs, same, margin });
    }
  }
  rmSync(work, { recursive: true });
  const others = answers.filter(({ same }) => !same);
  const close = others.filter(({ margin }) => margin < 1e-2).length;
  const told = `${type}: ${answers.length - others.length} of ${answers.length} answers are the same; of the others, ${close} had two tokens within 1e-2 of each other`;
  return { answers, told };
}
