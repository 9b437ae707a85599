import type { Command } from 'commander';
import {
  type ChangedAnswer,
  compareResults,
  type Comparison,
  resultsCsv,
  type Totals,
} from '../../comparison/compare-files.ts';
import type { GroupChange, Headline } from '../../comparison/headline.ts';
import { readResults } from '../../comparison/results.ts';
import { shorten } from '../../formats/quote.ts';
import { encodeUtf8 } from '../../formats/utf8.ts';
import { counted, showCount } from '../../formats/words.ts';
import { dayOf } from '../../text/moment.ts';
import { openDisplay } from '../display.ts';
import { replaceFiles } from '../durable-files.ts';
import { nodeSource } from '../node-files.ts';
import { checkOutputFile } from '../output-file.ts';
import { table } from '../table.ts';

/** `retune compare`: two batch tests side by side. */
export function compareCommand(program: Command): void {
  program
    .command('compare')
    .summary('set two batch tests side by side')
    .description(
      'Compares the answers of two models to the same questions: tokens, exact matches with the expected answers, token F1 and ROUGE-L (both between 0 and 1), whether V2 improved (with a 95% bootstrap interval over the questions), where it got worse, and every answer that changed.',
    )
    .argument('<results-v1>', 'file that "retune batch-test" wrote with the first model')
    .argument('<results-v2>', 'file that it wrote with the second model')
    .option('--json', 'print JSON')
    .option('--csv <file>', 'also write both models side by side as CSV, one line per question')
    .action(runCompare);
}

async function runCompare(
  first: string,
  second: string,
  options: { json?: true; csv?: string },
): Promise<void> {
  const display = openDisplay();
  const files = [first, second].map((path) => ({ what: 'the answers that are compared', path }));
  if (options.csv !== undefined) {
    await checkOutputFile(options.csv, { what: 'the table', option: '--csv', files });
  }
  const v1 = await readResults(await nodeSource(first));
  const v2 = await readResults(await nodeSource(second));
  const comparison = compareResults(v1, v2);
  if (options.csv !== undefined) {
    await replaceFiles([[options.csv, [encodeUtf8(resultsCsv(v1, v2))]]], { option: '--csv' });
  }
  if (options.json) {
    return display.json(comparison);
  }
  for (const line of summary(comparison)) {
    display.line(line);
  }
  const [a, b] = [v1, v2].map(({ date }) => (date === undefined ? 'no date' : dayOf(date)));
  if (a !== b) {
    display.line(
      `Note: the chat template wrote ${a} into V1's prompts and ${b} into V2's; batch-test --date gives both the same.`,
    );
  }
  for (const answer of comparison.changed) {
    for (const line of changed(answer)) {
      display.line(line);
    }
  }
}

function summary(comparison: Comparison): string[] {
  const { questions, withExpected, v1, v2, headline, topics, difficulties, worse, better } = comparison;
  const { length } = comparison.changed;
  const row = (name: string, show: (totals: Totals) => string) => [name, show(v1), show(v2)];
  const average = (value: number) => value.toFixed(1);
  const score = (value: number | undefined) => value?.toFixed(4) ?? '–';
  return [
    `V1: ${shorten(v1.modelPath)}`,
    `V2: ${shorten(v2.modelPath)}`,
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
    ...(headline ? [verdict(headline), ...falls(topics, 'topic'), ...falls(difficulties, 'difficulty')] : []),
    `${counted(length, 'answer')} changed${headline ? `: ${better.length} better, ${worse.length} worse${listed(worse)}` : ''}`,
  ];
}

/** "V2 improved: exact match 0.2500 → 0.7500, +0.5000 (95% bootstrap interval +0.2500 to +0.7500, 20 questions)". */
function verdict({ verdict, metric, means, difference, interval, questions }: Headline): string {
  const what = {
    improved: 'V2 improved',
    worse: 'V2 got worse',
    'no clear difference': 'No clear difference',
  }[verdict];
  const [a, b] = means.map((mean) => mean.toFixed(4));
  const [low, high] = interval.map(signed);
  return `${what}: ${metric} ${a} → ${b}, ${signed(difference)} (95% bootstrap interval ${low} to ${high}, ${counted(questions, 'question')})`;
}

/** One line per topic, or difficulty, in which V2 got worse. */
function falls(groups: readonly GroupChange[], kind: string): string[] {
  return groups
    .filter(({ difference }) => difference < 0)
    .map(
      ({ name, questions, difference }) =>
        `Worse in ${name === '' ? `questions without a ${kind}` : `the ${kind} ${shorten(name)}`}: ${signed(difference)} (${counted(questions, 'question')})`,
    );
}

const signed = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(4)}`;

/** The first few question numbers. */
function listed(numbers: readonly number[]): string {
  if (numbers.length === 0) {
    return '';
  }
  return ` (question ${numbers.slice(0, 20).join(', ')}${numbers.length > 20 ? ', …' : ''})`;
}

function changed({ number, question, expected, answers, thoughts, exact }: ChangedAnswer): string[] {
  const line = (name: string, text: string, mark = '') => `  ${name.padEnd(9)} ${text}${mark}`;
  const thought = (text: string | undefined) => (text ? [line('thinks', text)] : []);
  const mark = (matches: boolean) => (matches ? '  (exact)' : '');
  return [
    '',
    `${number}. ${question}`,
    ...(expected.trim() === '' ? [] : [line('expected', expected)]),
    ...thought(thoughts[0]),
    line('V1', answers[0], mark(exact[0])),
    ...thought(thoughts[1]),
    line('V2', answers[1], mark(exact[1])),
  ];
}
