import type { Command } from 'commander';
import { compareResults, type ChangedAnswer, type Comparison, type Totals } from '../../generate/compare.ts';
import { readResults } from '../../generate/results.ts';
import { openDisplay } from '../display.ts';
import { nodeSource } from '../node-files.ts';
import { counted, showCount } from '../../formats/words.ts';
import { table } from '../table.ts';

/** `retune compare`: two batch tests side by side. */
export function compareCommand(program: Command): void {
  program
    .command('compare')
    .summary('set two batch tests side by side')
    .description(
      'Compares the answers of two models to the same questions: tokens, exact matches with the expected answers, token F1 and ROUGE-L (both between 0 and 1), and every answer that changed.',
    )
    .argument('<results-v1>', 'file that "retune batch-test" wrote with the first model')
    .argument('<results-v2>', 'file that it wrote with the second model')
    .option('--json', 'print JSON')
    .action(runCompare);
}

async function runCompare(first: string, second: string, options: { json?: true }): Promise<void> {
  const display = openDisplay();
  const [v1, v2] = [await nodeSource(first), await nodeSource(second)];
  const comparison = compareResults(await readResults(v1), await readResults(v2));
  if (options.json) return display.line(JSON.stringify(comparison, null, 2));
  for (const line of summary(comparison)) display.line(line);
  for (const answer of comparison.changed) for (const line of changed(answer)) display.line(line);
}

function summary({ questions, withExpected, v1, v2, changed: { length } }: Comparison): string[] {
  const row = (name: string, show: (totals: Totals) => string) => [name, show(v1), show(v2)];
  const average = (value: number) => value.toFixed(1);
  const score = (value: number) => (Number.isNaN(value) ? '–' : value.toFixed(4));
  return [
    `V1: ${v1.modelPath}`,
    `V2: ${v2.modelPath}`,
    '',
    ...table([
      ['', 'V1', 'V2'],
      row('questions', () => showCount(questions)),
      row('with an expected answer', () => showCount(withExpected)),
      row('exact matches', (t) => showCount(t.exactMatches)),
      row('token F1', (t) => score(t.tokenF1)),
      row('ROUGE-L', (t) => score(t.rougeL)),
      row('input tokens', (t) => showCount(t.inputTokens)),
      row('output tokens', (t) => showCount(t.outputTokens)),
      row('total tokens', (t) => showCount(t.totalTokens)),
      row('input tokens per question', (t) => average(t.averageInputTokens)),
      row('output tokens per question', (t) => average(t.averageOutputTokens)),
      row('total tokens per question', (t) => average(t.averageTotalTokens)),
    ]),
    '',
    `${counted(length, 'answer')} changed`,
  ];
}

function changed({ number, question, expected, answers, exact }: ChangedAnswer): string[] {
  const line = (name: string, text: string, mark = '') => `  ${name.padEnd(9)} ${oneLine(text)}${mark}`;
  const mark = (matches: boolean) => (matches ? '  (exact)' : '');
  return [
    '',
    `${number}. ${oneLine(question)}`,
    ...(expected.trim() === '' ? [] : [line('expected', expected)]),
    line('V1', answers[0], mark(exact[0])),
    line('V2', answers[1], mark(exact[1])),
  ];
}

/** Line breaks and other control characters spelled out: model output may not steer the terminal. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, (c) =>
    c === '\n' ? '\\n' : `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}
