import { join } from 'node:path';
import type { Command } from 'commander';
import { commandRunner } from '../command-runner.ts';
import { openDisplay } from '../display.ts';
import { bundled } from '../package-root.ts';
import { forBundled, yesOption } from '../software-device.ts';

interface Options {
  output: string;
  yes?: boolean;
}

const FILES = 'tests/fixtures/cases/recipe_text';

/** `retune example`: the smallest real run, by the public command. */
export function exampleCommand(program: Command, end: (exitCode: number) => void): void {
  program
    .command('example')
    .summary('the smallest real run')
    .description(
      'Continues a tiny V1 on reference data with known PyTorch losses. Started again, it resumes where it was stopped.',
    )
    .option('--output <folder>', 'where V2 goes', 'example-output')
    .addOption(yesOption())
    .action(async (options: Options) => end(await runExample(options)));
}

function runExample({ output, yes }: Options): Promise<number> {
  const file = (name: string) => join(bundled(FILES), name);
  return commandRunner(openDisplay())([
    ...['finetune', '--base', file('base'), '--source-model', file('v1')],
    ...['--train-data', file('train.jsonl'), '--val-data', file('val.jsonl')],
    ...['--config', file('training_config.yaml'), '--output', output, ...forBundled(yes)],
  ]);
}
