import type { Command } from 'commander';
import { counted } from '../../formats/words.ts';
import { advise } from '../../run/checks/advise.ts';
import { advisoryText } from '../../run/checks/advisory.ts';
import { prepare } from '../../run/input/prepare.ts';
import type { Columns } from '../../text/columns.ts';
import { readOwnAdapterConfig } from '../adapter-config-file.ts';
import { openDisplay } from '../display.ts';
import { baseNamed, firstBase } from '../hub-cache.ts';
import { adapterFolder, nodeFolder, rowsSource, validationSource } from '../node-files.ts';
import { columnsOptionOf, holdOutOptionAsIn, NONE, readRecipeFile, rowChangesOption } from '../options.ts';
import { INVOCATION } from '../package-root.ts';
import { RunReport } from '../run-report.ts';

interface Options {
  base?: string;
  sourceModel: string;
  trainData: string;
  valData?: string;
  columns?: Columns;
  rowChanges?: string;
  valRowChanges?: string;
  holdOut?: number;
  config?: string;
}

/** `retune check`: what is worth a look before a run of these inputs starts. */
export function checkCommand(program: Command): void {
  const command = program
    .command('check')
    .summary('read all inputs of a run, and say what is worth a look')
    .description(
      'Reads all inputs of a run as "retune finetune" would, and says what is worth a look before it starts, with what mends it: a learning rate far outside what LoRA bears, rows cut, duplicated, contradicting each other, shared with the validation rows or trained before, answers without an end token, and the like. Touches no GPU and writes nothing.',
    )
    .option(
      '--base <folder>',
      "base model in Hugging Face format, or a name in Hugging Face's cache (default: the one that the recipe or the adapter names, if it is there)",
    )
    .requiredOption(
      '--source-model <folder>',
      `V1, a PEFT LoRA adapter, or a zip of one; "${NONE}" for a fresh adapter`,
    )
    .requiredOption('--train-data <file>', 'rows to train on')
    .option('--val-data <file>', 'rows to evaluate on')
    .addOption(columnsOptionOf())
    .addOption(rowChangesOption('--train-data'))
    .addOption(rowChangesOption('--val-data'))
    .addOption(holdOutOptionAsIn('finetune'))
    .option(
      '--config <file>',
      'training_config.yaml, or a recipe of another tool; without it the recipe has its default values',
    )
    .addHelpText(
      'after',
      `
Example:
  ${INVOCATION} check --base Qwen2.5-1.5B-Instruct --source-model v1 --train-data train.jsonl --val-data val.jsonl`,
    )
    .action((options: Options) => runCheck(options, command));
}

async function runCheck(options: Options, command: Command): Promise<void> {
  const display = openDisplay();
  try {
    const given = await readRecipeFile(options.config, display);
    const { holdOut = given.training.valSize } = options;
    const recipe =
      holdOut === undefined ? given : { ...given, training: { ...given.training, valSize: holdOut } };
    const source = options.sourceModel === NONE ? undefined : await adapterFolder(options.sourceModel);
    const own = await readOwnAdapterConfig(source);
    const base =
      options.base === undefined
        ? await firstBase([recipe.model.name, own?.baseModelName])
        : await baseNamed(options.base);
    if (base === undefined) {
      return command.error("required option '--base <folder>' not specified");
    }
    const train = await rowsSource(options.trainData, options.columns, options.rowChanges);
    const validation = await validationSource(options);
    const report = new RunReport(display);
    const inputs = { base: await nodeFolder(base), source, train, validation, recipe };
    const prepared = await prepare(inputs, (event) => report.show(event));
    display.close();
    const { rows } = prepared.train;
    display.line(
      `${counted(rows.length, 'row')} to train on, ${counted(prepared.evalRows.length, 'row')} to evaluate on; ${counted(prepared.maxSteps, 'step')}`,
    );
    const advisories = await advise(prepared);
    for (const advisory of advisories) {
      report.show({ type: 'advisory', text: advisoryText(advisory) });
    }
    if (advisories.length === 0) {
      display.line('Nothing is worth a look.');
    }
  } finally {
    display.close();
  }
}
