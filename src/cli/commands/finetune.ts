import { type Command, Option } from 'commander';
import type { AdapterConfig } from '../../formats/adapter-config.ts';
import { readJson } from '../../formats/json.ts';
import type { Recipe } from '../../formats/recipe.ts';
import { parseTrainerState } from '../../formats/trainer-state.ts';
import { counted, showSeconds } from '../../formats/words.ts';
import { readCursor } from '../../run/checkpoint/checkpoint.ts';
import type { ResumeMode } from '../../run/checkpoint/resume.ts';
import type { Phase, RunEvent } from '../../run/events.ts';
import { finetune } from '../../run/finetune.ts';
import type { FinetuneResult } from '../../run/options.ts';
import { verdictOf } from '../../run/verdict.ts';
import type { Columns } from '../../text/columns.ts';
import { readOwnAdapterConfig } from '../adapter-config-file.ts';
import { checkApart, checkCacheApart, checkLinks, checkRecipe } from '../apart.ts';
import { baseCacheOption, openBaseCache } from '../base-cache.ts';
import { baseFolder } from '../base-folder.ts';
import { type Display, openDisplay } from '../display.ts';
import { FolderStore } from '../folder-store.ts';
import { baseNamed } from '../hub-cache.ts';
import { interrupt } from '../interrupt.ts';
import { adapterFolder, rowsSource, validationSource } from '../node-files.ts';
import { withGpu } from '../open-gpu.ts';
import {
  addDeviceOptions,
  columnsOptionOf,
  givenDeviceSettings,
  holdOutOption,
  NONE,
  readRecipeFile,
  rowChangesOption,
} from '../options.ts';
import { OutputLock } from '../output-lock.ts';
import { INVOCATION } from '../package-root.ts';
import { type FinetunePlaces, finetunePlaces } from '../project-layout.ts';
import { lossLine, RunReport } from '../run-report.ts';
import { samplePromptsOption, withSamplePrompts } from '../sample-prompts.ts';
import { addSoftwareOptions, type SoftwareOptions } from '../software-device.ts';
import { TuningFile } from '../tuning-file.ts';

interface Given extends SoftwareOptions, Partial<FinetunePlaces> {
  base?: string;
  baseCache: string;
  resume: ResumeMode;
  /** As `val_size`: below 1 a share. */
  holdOut?: number;
  columns?: Columns;
  rowChanges?: string;
  valRowChanges?: string;
  samplePrompts?: string;
}
type Options = Given & FinetunePlaces;

/** `retune finetune`: trains V2 from V1 and new rows. */
export function finetuneCommand(program: Command, end: (exitCode: number) => void): void {
  const command = program
    .command('finetune')
    .summary('continue a LoRA adapter on new rows')
    .description(
      'Continues the training of a LoRA adapter (V1) on new rows over a 4-bit base model and writes the new adapter (V2), which PEFT loads. Started again, it resumes where it was stopped.',
    )
    .option(
      '--base <folder>',
      "base model in Hugging Face format (Qwen2, Qwen3 or Llama), safetensors: a folder, or a name such as Qwen/Qwen2.5-1.5B-Instruct that is in Hugging Face's cache; may be omitted to resume the output's run if the base is in the cache, or if the recipe or V1 names it",
    )
    .option(
      '--source-model <folder>',
      `V1, a PEFT LoRA adapter, or a zip of one; never written to. "${NONE}" starts a fresh adapter`,
    )
    .option(
      '--train-data <file>',
      'rows to train on: JSONL, JSON, CSV, TSV or Parquet, or one of these as .gz',
    )
    .option('--val-data <file>', 'rows to evaluate on, the same')
    .addOption(columnsOptionOf())
    .addOption(rowChangesOption('--train-data'))
    .addOption(rowChangesOption('--val-data'))
    .addOption(
      new Option(
        '--hold-out <share>',
        'without --val-data: rows to hold out of the training data, at random by the seed, and to evaluate on; a share such as 5%, or a number of rows. The same as val_size in a recipe, and over it',
      )
        .argParser(holdOutOption)
        .conflicts('valData'),
    )
    .addOption(samplePromptsOption())
    .option('--output <folder>', 'where V2, its checkpoints and its logs go')
    .option(
      '--config <file>',
      'training_config.yaml, or a recipe of LLaMA-Factory, axolotl, TRL or transformers; without it the recipe has its default values',
    )
    .addOption(
      new Option(
        '--resume <mode>',
        'what to do with checkpoints in the output: resume exactly as if never stopped, take their weights only, or never use them',
      )
        .choices(['exact', 'weights', 'never'])
        .default('exact'),
    )
    .addOption(baseCacheOption());
  addSoftwareOptions(addDeviceOptions(command))
    .addHelpText(
      'after',
      `
Ctrl-C (and SIGTERM, SIGHUP, a closed stdout) stops and saves a checkpoint of the last complete step; a second Ctrl-C quits at once.

In a project laid out like the recipe's, options may be left out: ./models/fine_tuned, ./data/processed/train_finetune2.jsonl and val_finetune2.jsonl, and ./configs/training_config.yaml are used where they exist, and ./models/fine_tuned_v2 is made (V3 of V2); the first line says so.

Example:
  ${INVOCATION} finetune --base Qwen2.5-1.5B-Instruct --source-model v1 --train-data train.jsonl --val-data val.jsonl --output v2`,
    )
    .action(async (given: Given) => end(await runFinetune(given, command)));
}

async function runFinetune(given: Given, command: Command): Promise<number> {
  const begun = performance.now();
  const display = openDisplay();
  const { places, told } = await finetunePlaces(given, command);
  if (told !== undefined) {
    display.line(told);
  }
  const options: Options = { ...given, ...places };
  if (options.base !== undefined) {
    options.base = await baseNamed(options.base);
  }
  const lock = new OutputLock(options.output);
  try {
    const read = withHoldOut(await readRecipeFile(options.config, display), options.holdOut);
    const recipe = await withSamplePrompts(read, options.samplePrompts, display);
    const source = options.sourceModel === NONE ? undefined : await adapterFolder(options.sourceModel);
    const train = await rowsSource(options.trainData, options.columns, options.rowChanges);
    const validation = await validationSource(options);
    const store = await FolderStore.open(options.output, undefined, lock);
    await checkPlaces(options);
    const baseCache = openBaseCache(options.baseCache);
    const own = await readOwnAdapterConfig(source);
    const names = [recipe.model.name, own?.baseModelName];
    const { useDoubleQuant } = recipe.quantization;
    const { base, found } = await baseFolder(options.base, names, store, baseCache, useDoubleQuant);
    if (found !== undefined) {
      display.line(`Base: ${found}`);
      await checkPlaces({ ...options, base: found });
    }
    if (own && options.config !== undefined) {
      tellWhoseRank(own, recipe, options.config, display);
    }
    const report = new RunReport(display, { suggestHoldOut: recipe.training.evalStrategy !== 'no' });
    const answer = answerSignals(display);
    const { signal } = interrupt;
    const remedy = 'run the same command again to resume from the last checkpoint';
    const result = await withGpu(display, { remedy, options }, (openGpu) =>
      finetune({
        inputs: { base, source, train, validation, recipe },
        store,
        baseCache,
        resume: options.resume,
        ...givenDeviceSettings(options),
        tuning: new TuningFile(),
        openGpu: () => {
          answer.computing();
          return openGpu();
        },
        emit: (event) => {
          answer.hear(event);
          report.show(event);
        },
        signal,
      }).catch((error: unknown) => {
        if (signal.aborted && error === signal.reason) {
          return undefined;
        }
        throw error;
      }),
    );
    display.close();
    const lines = await lastLines(result, store, (performance.now() - begun) / 1000, source !== undefined);
    if (!interrupt.tellLoss(lines[0])) {
      for (const line of lines) {
        display.line(line);
      }
    }
    return !result || result.status === 'stopped' ? interrupt.exitCode! : 0;
  } finally {
    lock.release();
    display.close();
  }
}

const withHoldOut = (recipe: Recipe, holdOut: number | undefined): Recipe =>
  holdOut === undefined ? recipe : { ...recipe, training: { ...recipe.training, valSize: holdOut } };

/** Base, V1 and rows are never written to, whatever place the user names for output. */
async function checkPlaces({
  base,
  sourceModel,
  trainData,
  valData,
  rowChanges,
  valRowChanges,
  samplePrompts,
  output,
  config,
  baseCache,
}: Options): Promise<void> {
  const inputs = [
    ...(base === undefined ? [] : [{ what: 'the base model', path: base }]),
    ...(sourceModel === NONE ? [] : [{ what: 'the source model', path: sourceModel }]),
    { what: 'the rows to train on', path: trainData },
    ...(valData === undefined ? [] : [{ what: 'the rows to evaluate on', path: valData }]),
    ...(samplePrompts === undefined ? [] : [{ what: 'the sample prompts', path: samplePrompts }]),
    ...[rowChanges, valRowChanges].flatMap((path) =>
      path === undefined ? [] : [{ what: 'the changes over the rows', path }],
    ),
  ];
  await checkApart(output, inputs);
  await checkLinks(output, inputs);
  if (config !== undefined) {
    await checkRecipe(config, output);
  }
  await checkCacheApart(baseCache, inputs, output);
}

const NOT_BEGUN = 'Stopped before training began; run the same command again to start.';

/** Phases that read untrusted text, with code that may block JavaScript for long. */
const FOREIGN: ReadonlySet<Phase> = new Set(['opening files', 'tokenizing']);

/** The effect of signals during training: a checkpoint is saved as soon as possible. */
function answerSignals(display: Display) {
  const endNow = {
    onEnd: () => {
      display.close();
      display.line(NOT_BEGUN);
    },
  };
  const keep = {
    onKeep: () =>
      display.line('Stopping; the last complete step is saved. Press Ctrl-C again to quit at once.'),
    onEnd: () => display.close(),
  };
  let training = false;
  return {
    computing: () => interrupt.handle('end', endNow),
    hear: (event: RunEvent) => {
      training ||= event.type === 'facts';
      if (training) {
        interrupt.handle('keep', keep);
      } else if (event.type === 'phase') {
        interrupt.handle(FOREIGN.has(event.phase) ? 'system' : 'end', endNow);
      }
    },
  };
}

/** V1 determines the adapter's shape; notes it if the configuration file asks for another. */
function tellWhoseRank(own: AdapterConfig, recipe: Recipe, file: string, display: Display): void {
  const { lora } = recipe;
  const differ = (['r', 'loraAlpha', 'loraDropout'] as const).filter((key) => own[key] !== lora[key]);
  if (differ.length === 0) {
    return;
  }
  const names = { r: 'r', loraAlpha: 'lora_alpha', loraDropout: 'lora_dropout' };
  const show = (from: typeof own | typeof lora) =>
    differ.map((key) => `${names[key]} ${from[key]}`).join(', ');
  display.line(`Note: the source model's ${show(own)} is used, not ${show(lora)} of ${file}.`);
}

async function lastLines(
  result: FinetuneResult | undefined,
  store: FolderStore,
  seconds: number,
  hasSource: boolean,
): Promise<string[]> {
  if (!result) {
    return [NOT_BEGUN];
  }
  const { status, step, maxSteps, best } = result;
  if (status === 'stopped') {
    return [
      `Stopped after step ${step} of ${maxSteps}; run the same command again to resume from there${step > 0 ? ` (${store.checkpointName(step)})` : ''}.`,
    ];
  }
  const steps = step < maxSteps ? `${step} of ${counted(maxSteps, 'step')}` : counted(maxSteps, 'step');
  const first =
    status === 'finished'
      ? `Finished ${steps} in ${showSeconds(seconds)}: the adapter is in ${store.name}`
      : `Already finished: ${store.name} holds the result of the same inputs (${steps}); nothing was done.`;
  const which = best
    ? [
        `The adapter is that of step ${best.step}, which had the best eval_loss (${best.evalLoss.toFixed(4)}).`,
      ]
    : [];
  return [first, ...which, ...(await losses(store, best?.step ?? step, hasSource))];
}

/** First and last losses in trainer_state.json, and what they say of the result, which is of `step`. */
async function losses(store: FolderStore, step: number, hasSource: boolean): Promise<string[]> {
  const result = await store.openResult();
  const file = await result.open('trainer_state.json');
  if (!file) {
    return [];
  }
  const { log_history: history } = parseTrainerState(await readJson(file), file.name);
  const { baseline, weightsFrom } = await readCursor(result);
  const evals = [
    ...(baseline === undefined ? [] : [{ step: 0, loss: baseline }]),
    ...history.flatMap((entry) =>
      entry.eval_loss === undefined ? [] : [{ step: entry.step, loss: entry.eval_loss }],
    ),
  ];
  const source = hasSource ? 'the source model' : undefined;
  const names = {
    source: weightsFrom === undefined ? source : 'what it started from',
    result: 'The adapter',
  };
  const verdict = verdictOf({ evals, step, saved: await store.checkpoints(), names });
  const steps = history.flatMap(({ step, loss }) => (loss === undefined ? [] : [{ step, loss }]));
  const lines = [...lossLine('loss', steps), ...lossLine('eval_loss', evals)];
  const take =
    verdict?.take === undefined
      ? []
      : [
          `Take it: ${INVOCATION} export --model ${store.name} --take ${verdict.take} --to adapter --output ${store.name}-step-${verdict.take}`,
        ];
  return [...lines, ...(verdict ? [verdict.text] : []), ...take];
}
