import { type Command, Option } from 'commander';
import type { Folder } from '../../formats/byte-source.ts';
import type { Recipe } from '../../formats/recipe.ts';
import { type HandedRun, planHandover } from '../../handover/handover.ts';
import type { Columns } from '../../text/columns.ts';
import { readOwnAdapterConfig } from '../adapter-config-file.ts';
import { checkApart } from '../apart.ts';
import type { Display } from '../display.ts';
import { checkWritable } from '../durable-files.ts';
import { openHandedRun } from '../handed-run.ts';
import { baseNamed, firstBase } from '../hub-cache.ts';
import { interrupt } from '../interrupt.ts';
import { adapterFolder, nodeFolder, rowsSource, validationSource } from '../node-files.ts';
import {
  columnsOptionOf,
  holdOutOptionAsIn,
  NONE,
  numberOption,
  readRecipeFile,
  rowChangesOption,
} from '../options.ts';
import { INVOCATION } from '../package-root.ts';
import { RunReport } from '../run-report.ts';
import { checkVacant } from '../write-export.ts';
import { withOutput } from '../write-output.ts';

interface Options {
  run?: string;
  base?: string;
  sourceModel?: string;
  trainData: string;
  valData?: string;
  columns?: Columns;
  rowChanges?: string;
  valRowChanges?: string;
  holdOut?: number;
  config?: string;
  gpus?: number;
  output: string;
}

/** `retune handover`: a run for a cluster, on transformers and PEFT. */
export function handoverCommand(program: Command, end: (exitCode: number) => void): void {
  const command = program
    .command('handover')
    .summary('hand a run over to a cluster: transformers, PEFT, accelerate')
    .description(
      'Writes a folder that trains the same rows by the same recipe on one GPU or several, without Retune: rows as token ids and labels, a script for transformers and PEFT, and files for accelerate, axolotl, Slurm and SkyPilot. What it makes is a PEFT adapter that Retune continues.',
    )
    .addOption(
      new Option(
        '--run <folder>',
        'output folder of a run of "retune finetune": its recipe, and its latest adapter to start from',
      ).conflicts(['config', 'holdOut']),
    )
    .option(
      '--base <folder>',
      "base model in Hugging Face format, or a name in Hugging Face's cache (default: the one that the recipe or the adapter names, if it is there)",
    )
    .option(
      '--source-model <folder>',
      `the adapter to start from, or a zip of one; "${NONE}" starts a fresh adapter (default: the latest of --run)`,
    )
    .requiredOption('--train-data <file>', 'rows to train on; those that the run was started with')
    .option('--val-data <file>', 'rows to evaluate on, the same')
    .addOption(columnsOptionOf())
    .addOption(rowChangesOption('--train-data'))
    .addOption(rowChangesOption('--val-data'))
    .addOption(holdOutOptionAsIn('finetune'))
    .option(
      '--config <file>',
      'training_config.yaml, or a recipe of another tool; without it and --run the recipe has its default values',
    )
    .option(
      '--gpus <count>',
      'GPUs that the files for several start with; it must divide gradient_accumulation_steps (default: the most up to 8 that does)',
      numberOption({ whole: true, min: 1, max: 4096 }),
    )
    .requiredOption('--output <folder>', 'where the hand-over goes: a new or an empty folder')
    .addHelpText(
      'after',
      `
Example:
  ${INVOCATION} handover --run v2 --base Qwen2.5-1.5B-Instruct --train-data train.jsonl --output cluster/`,
    )
    .action(async (options: Options) => end(await runHandover(options, command)));
}

interface Beginning {
  recipe: Recipe;
  source: Folder | undefined;
  /** What the adapter is, in words. */
  start: string;
  run: HandedRun | undefined;
}

async function runHandover(options: Options, command: Command): Promise<number> {
  const { signal } = interrupt;
  const { output } = options;
  return withOutput(output, 'hand-over', async ({ display, checkLock, write }) => {
    const { recipe, source, start, run } = await beginning(options, command, display);
    const own = await readOwnAdapterConfig(source);
    const basePath =
      options.base === undefined
        ? await firstBase([recipe.model.name, own?.baseModelName])
        : await baseNamed(options.base);
    if (basePath === undefined) {
      return command.error("required option '--base <folder>' not specified");
    }
    await checkPlaces(options, basePath);
    await checkLock();
    const train = await rowsSource(options.trainData, options.columns, options.rowChanges);
    const validation = await validationSource(options);
    const report = new RunReport(display);
    const { files, notes } = await planHandover({
      inputs: { base: await nodeFolder(basePath), source, train, validation, recipe },
      start,
      gpus: options.gpus,
      run,
      emit: (event) => {
        signal.throwIfAborted();
        report.show(event);
      },
    });
    display.close();
    for (const note of notes) {
      report.show({ type: 'note', text: note });
    }
    await write(files, 'folder');
    display.line(`It starts from ${start}. Its README.md has the commands.`);
  });
}

/** The recipe, and the adapter that training starts from. */
async function beginning(options: Options, command: Command, display: Display): Promise<Beginning> {
  const { run: runFolder, sourceModel, config } = options;
  const given =
    sourceModel === undefined || sourceModel === NONE ? undefined : await adapterFolder(sourceModel);
  const start = sourceModel === NONE ? 'a fresh adapter' : 'V1';
  if (runFolder !== undefined) {
    const opened = await openHandedRun(runFolder, (text) => display.line(`Note: ${text}`));
    const { recipe, run } = opened;
    if (sourceModel !== undefined) {
      return { recipe, run, source: given, start };
    }
    display.line(
      `Note: it starts from the adapter of ${opened.start}, with a fresh optimizer and the whole schedule; --source-model V1 starts where the run did.`,
    );
    return { recipe, run, source: opened.adapter, start: `the adapter of ${opened.start}` };
  }
  if (sourceModel === undefined) {
    return command.error(
      `required option '--source-model <folder>' not specified ("${NONE}" for a fresh adapter), nor --run`,
    );
  }
  const recipe = await readRecipeFile(config, display);
  const { training } = recipe;
  const { holdOut } = options;
  return {
    recipe: holdOut === undefined ? recipe : { ...recipe, training: { ...training, valSize: holdOut } },
    source: given,
    start,
    run: undefined,
  };
}

/** The output must be a new place, apart from all that is read. */
async function checkPlaces(
  { output, run, sourceModel, trainData, valData, rowChanges, valRowChanges, config }: Options,
  base: string,
) {
  const named = [
    { what: 'the base model', path: base },
    { what: 'the run', path: run },
    { what: 'the source model', path: sourceModel === NONE ? undefined : sourceModel },
    { what: 'the rows to train on', path: trainData },
    { what: 'the rows to evaluate on', path: valData },
    { what: 'the changes over the rows', path: rowChanges },
    { what: 'the changes over the rows', path: valRowChanges },
    { what: 'the recipe', path: config },
  ];
  await checkApart(
    output,
    named.flatMap(({ what, path }) => (path === undefined ? [] : [{ what, path }])),
  );
  await checkWritable(output);
  await checkVacant(output);
}
