import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { exactMatch } from '../../comparison/metrics.ts';
import { parseQuestions } from '../../comparison/questions.ts';
import { type ReadResults, readResults } from '../../comparison/results.ts';
import { shorten } from '../../formats/quote.ts';
import { commandRunner } from '../command-runner.ts';
import { openDisplay } from '../display.ts';
import { nodeSource } from '../node-files.ts';
import { bundled } from '../package-root.ts';
import { forBundled, yesOption } from '../software-device.ts';
import { table } from '../table.ts';

interface Options {
  files: string;
  output: string;
  yes?: boolean;
}

/** Longer than any of the demo's answers. */
const MAX_NEW_TOKENS = '32';

/** `retune demo`: the whole bundled demo, using the public commands. */
export function demoCommand(program: Command, end: (exitCode: number) => void): void {
  program
    .command('demo')
    .summary('see a tiny V1 learn new rows')
    .description(
      'Continues the bundled tiny V1 on rows about a new product line, asks V1 and V2 the same questions, and counts the exact answers of both. Started again, it resumes where it was stopped.',
    )
    .option('--files <folder>', 'base, V1, rows, questions and recipe', bundled('public/demo'))
    .option('--output <folder>', 'where V2 and the answers go', 'demo-output')
    .addOption(yesOption())
    .action(async (options: Options) => end(await runDemo(options)));
}

async function runDemo({ files, output, yes }: Options): Promise<number> {
  const [base, v1, v2] = [join(files, 'base'), join(files, 'v1'), join(output, 'v2')];
  const questions = join(files, 'questions.json');
  const config = join(files, 'training_config.yaml');
  const answers = { v1: join(output, 'answers_v1.json'), v2: join(output, 'answers_v2.json') };
  const software = forBundled(yes);
  const ask = (model: string, file: string) => [
    ...['batch-test', '--base', base, '--model', model, '--questions', questions, '--config', config],
    ...['--prompt', 'text', '--greedy', '--max-new-tokens', MAX_NEW_TOKENS, '--output', file],
    ...software,
  ];
  const display = openDisplay();
  const run = commandRunner(display);
  const trained = await run([
    ...['finetune', '--base', base, '--source-model', v1, '--train-data', join(files, 'train.jsonl')],
    ...['--val-data', join(files, 'val.jsonl'), '--config', config, '--output', v2],
    ...software,
  ]);
  if (trained !== 0) {
    return trained;
  }
  const adapter = join(v2, 'adapter_model.safetensors');
  for (const [model, file] of [
    [v1, answers.v1],
    [v2, answers.v2],
  ] as const) {
    if (await isNewer(file, adapter)) {
      continue;
    }
    const answered = await run(ask(model, file));
    if (answered !== 0) {
      return answered;
    }
  }
  const topics = (await parseQuestions(await nodeSource(questions))).map((question) => question.topic);
  const read = async (file: string) => readResults(await nodeSource(file));
  const lines = table(exactByTopic(topics, await read(answers.v1), await read(answers.v2)));
  display.line('');
  display.line('Exact answers to questions about …');
  for (const line of lines) {
    display.line(line);
  }
  display.line('');
  display.line(`V2, the new adapter: ${v2}`);
  display.line(`All answers: ${answers.v1}, ${answers.v2}`);
  return 0;
}

/** Table rows: for each topic, the number of questions, and V1's and V2's exact answers. */
function exactByTopic(topics: readonly string[], v1: ReadResults, v2: ReadResults): string[][] {
  const count = (topic: string, { results }: ReadResults): string => {
    const asked = results.filter((_, i) => topics[i] === topic);
    const exact = asked.filter((r) => exactMatch(r.model_answer, r.expected_answer)).length;
    return `${exact} of ${asked.length}`;
  };
  return [
    ['', 'V1', 'V2'],
    ...[...new Set(topics)].map((topic) => [shorten(topic), count(topic, v1), count(topic, v2)]),
  ];
}

async function isNewer(path: string, than: string): Promise<boolean> {
  const [info, other] = await Promise.all([stat(path).catch(() => undefined), stat(than)]);
  return info !== undefined && info.mtimeMs > other.mtimeMs;
}
