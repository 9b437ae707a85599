import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { DEMO_QUESTIONS } from '../../../src/app/state/demo.ts';

it("the questions offered after the demo are the demo's own, of line two and line one", () => {
  const all = JSON.parse(readFileSync('public/demo/questions.json', 'utf8')) as {
    question: string;
    topic: string;
  }[];
  const topics = DEMO_QUESTIONS.map((question) => all.find((q) => q.question === question)?.topic);
  expect(topics).toEqual(['line two', 'line one']);
});
