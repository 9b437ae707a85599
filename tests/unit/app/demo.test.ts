import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { DEMO_QUESTIONS } from '../../../src/app/shared/demo.ts';
import { DEMO_ANSWER_TOKENS } from '../../../src/app/shared/demo-tests.ts';
import { nodeFolder } from '../../../src/cli/node-files.ts';
import { promptEncoder } from '../../../src/generate/prompt-form.ts';
import { loadTokenizer } from '../../../src/text/load-tokenizer.ts';

interface Entry {
  question: string;
  answer: string;
  topic: string;
}
const all = JSON.parse(readFileSync('public/demo/questions.json', 'utf8')) as Entry[];

it("the questions offered after the demo are the demo's own, of line two and line one", () => {
  const topics = DEMO_QUESTIONS.map((question) => all.find((q) => q.question === question)?.topic);
  expect(topics).toEqual(['line two', 'line one']);
});

it("the demo's answers fit into the length that its questions come with, and into its base", async () => {
  const config = JSON.parse(readFileSync('public/demo/base/config.json', 'utf8')) as Record<string, number>;
  const tokenizer = await loadTokenizer(await nodeFolder('public/demo/base'));
  const prompt = promptEncoder(tokenizer, 'text');
  const longest = Number(DEMO_ANSWER_TOKENS);
  for (const { question, answer } of all) {
    expect(tokenizer.encode(answer).length + 1).toBeLessThanOrEqual(longest);
    expect(prompt(question).length + longest).toBeLessThanOrEqual(config['max_position_embeddings']!);
  }
});
