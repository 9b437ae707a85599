import type { Command } from 'commander';
import { parameterCount } from '../../formats/decoder-weights.ts';
import { UserError } from '../../formats/user-error.ts';
import { counted, showCount } from '../../formats/words.ts';
import { PACKED_HEAD_ROWS } from '../../gpu/kernels/lm-head/packed.ts';
import {
  parseSaved,
  SAVED,
  type SavedActivations,
  savedFormatOf,
} from '../../model/activation-checkpointing.ts';
import { expectedTime, showExpected } from '../../run/expected-time.ts';
import { estimateMemory } from '../../run/plan/estimate.ts';
import {
  chooseMemory,
  keptWhole,
  keptWithPackedHead,
  type MemoryChoice,
  withChoice,
} from '../../run/plan/memory-choice.ts';
import { memoryPlan, type MemoryPlanInput, totalBytes } from '../../run/plan/memory-plan.ts';
import { largestInput, type PassInput, passInput, sizedInput } from '../../run/plan/pass-size.ts';
import type { PrecisionChoice } from '../../run/precision.ts';
import { openDisplay } from '../display.ts';
import { baseNamed } from '../hub-cache.ts';
import { adapterFolder, nodeFolder } from '../node-files.ts';
import { nodeGpuKind } from '../node-gpu.ts';
import { deviceOption, numberOption, readRecipeFile } from '../options.ts';
import { table } from '../table.ts';

interface Options {
  base: string;
  model?: string;
  seq?: number;
  r?: number;
  config?: string;
  memory?: number;
  precision: PrecisionChoice;
  json?: true;
}

const COUNT = { whole: true, min: 1 };
/** Rows whose time is told: how many there will be is not known. */
const TIMED_ROWS = 1000;

/** `retune plan`: what a run will need, before anything is allocated. */
export function planCommand(program: Command): void {
  program
    .command('plan')
    .summary('show the GPU memory that a run will need')
    .description(
      'Shows, by kind, the bytes that "retune finetune" will hold on the GPU for rows of the full length, and how long so many of them take on cards of this kind. Reads headers only (for sample prompts the tokenizer, too), and of the GPU what it is.',
    )
    .requiredOption('--base <folder>', 'base model in Hugging Face format')
    .option(
      '--seq <tokens>',
      'length of the rows (default: max_seq_length of the recipe)',
      numberOption({ whole: true, min: 2 }),
    )
    .option('--r <rank>', 'rank of the adapter (default: that of the recipe)', numberOption(COUNT))
    .option('--model <folder>', 'PEFT LoRA adapter whose rank and modules count')
    .option(
      '--config <file>',
      'training_config.yaml, or a recipe of LLaMA-Factory, axolotl, TRL or transformers; without it the recipe has its default values',
    )
    .addOption(deviceOption('memory'))
    .addOption(deviceOption('precision'))
    .option('--json', 'print JSON')
    .action(runPlan);
}

async function runPlan(options: Options): Promise<void> {
  const display = openDisplay();
  if (options.r !== undefined && options.model !== undefined) {
    throw new UserError(`retune plan: --r and --model both set the rank; leave one of them out.`);
  }
  const given = await readRecipeFile(options.config, display);
  const base = await nodeFolder(await baseNamed(options.base));
  const source = options.model === undefined ? undefined : await adapterFolder(options.model);
  const recipe = {
    ...given,
    lora: { ...given.lora, r: options.r ?? given.lora.r },
    training: { ...given.training, maxLength: options.seq ?? given.training.maxLength },
  };
  const { memory: budget, precision: chosen } = options;
  const precision = chosen === 'auto' ? 'f32' : chosen;
  const run = await estimateMemory({ base, source, recipe, precision });
  const asked = budget === undefined ? passInput(run) : sizedInput(run, budget, Infinity);
  const choice = chooseMemory(asked, { budget, fill: false });
  const input = withChoice(asked, choice);
  const bytes = memoryPlan(input);
  const { batchSize, accumulationSteps } = recipe.training;
  const gpu = await nodeGpuKind();
  const parameters = parameterCount(input.model.config);
  const expected = gpu && expectedTime(gpu, parameters, TIMED_ROWS * input.positions);
  if (options.json) {
    const json = {
      tokens_per_row: input.positions,
      tokens_per_pass: input.passTokens,
      memory_budget: options.memory,
      precision,
      keep: choice.keep,
      optimizer: choice.optimizer,
      bytes: Object.fromEntries(bytes),
      total_bytes: totalBytes(bytes),
      ...(expected && {
        expected: {
          tokens: TIMED_ROWS * input.positions,
          // More digits would look measured.
          seconds: [expected.least, expected.most].map((seconds) => Number(seconds.toPrecision(2))),
          cards: expected.cards,
        },
      }),
    };
    display.json(json);
    return;
  }
  for (const line of describe(input, batchSize * accumulationSteps)) {
    display.line(line);
  }
  for (const line of describeChoice(run, choice, budget, chosen)) {
    display.line(line);
  }
  if (expected) {
    display.line(showExpected(expected, ` for ${showCount(TIMED_ROWS)} full rows`));
  }
  if (run.samples) {
    const without = totalBytes(memoryPlan({ ...input, samples: undefined }));
    display.line(
      `${showMib(totalBytes(bytes) - without)} MiB of the total answer the sample prompts; a system prompt of the rows adds its length`,
    );
  }
  display.line('');
  const rows = [...bytes, ['total', totalBytes(bytes)] as const];
  for (const line of table([['', 'MiB'], ...rows.map(([kind, n]) => [kind, showMib(n)])])) {
    display.line(line);
  }
}

function describe({ model, modules, positions, passTokens }: MemoryPlanInput, rows: number): string[] {
  const { family, layers, hiddenSize } = model.config;
  const ranks = [...new Set(modules.map((m) => m.r))].toSorted((a, b) => a - b).join(', ');
  return [
    `${model.folder.name}: ${family}, ${counted(layers, 'layer')} of width ${showCount(hiddenSize)}`,
    `LoRA of rank ${ranks} on ${counted(modules.length, 'module')}`,
    ...model.notes,
    `rows of ${counted(positions, 'token')}, ${rows} to a step, in passes of up to ${counted(passTokens, 'token')}`,
  ];
}

const KEPT: Readonly<Record<SavedActivations, string>> = {
  [SAVED.input]: 'the input only',
  [SAVED.attention]: 'the attention output',
  [SAVED.projections]: 'q, k, v and the attention output',
  [SAVED.all]: 'all that the backward pass needs',
};

function describeChoice(
  run: PassInput,
  { keep, optimizer }: MemoryChoice,
  budget: number | undefined,
  precision: PrecisionChoice,
): string[] {
  const levels = parseSaved(keep);
  const parts = Object.values(SAVED)
    .toReversed()
    .map((level) => ({ level, count: levels.filter((l) => l === level).length }))
    .filter(({ count }) => count > 0)
    .map(({ level, count }) => `${KEPT[level]} (${counted(count, 'layer')})`);
  const where = optimizer === 'paged' ? 'in host memory, paged' : 'on the GPU';
  const lines = [`kept of each layer: ${parts.join(', ')}; optimizer state ${where}`];
  const unsaid = precision === 'auto';
  if (budget !== undefined) {
    const more = unsaid ? `, in f32; ${IN_HALVES}` : '';
    return [...lines, `chosen for ${showMib(budget)} MiB${more}`];
  }
  const most = largestInput(run, Infinity);
  const halves = largestInput({ ...run, savedFormat: savedFormatOf('matrix') }, Infinity);
  const packs = (unsaid || precision === 'matrix') && halves.passTokens >= PACKED_HEAD_ROWS;
  return [
    ...lines,
    `with more memory free, a run takes up to ${showMib(keptWhole(most))} MiB and keeps all that the backward pass needs, in passes of up to ${counted(most.passTokens, 'token')}; --memory sets a limit`,
    ...(unsaid ? [`this is in f32; ${IN_HALVES}: up to ${showMib(keptWhole(halves))} MiB`] : []),
    ...(packs
      ? [
          `on a GPU with subgroup matrices, it takes up to ${showMib(keptWithPackedHead(halves))} MiB, to compute ${PACKED_HEAD_ROWS} rows of logits at once`,
        ]
      : []),
  ];
}

const IN_HALVES = 'precision f16 or matrix saves the outputs of gate and up in 16 bits';

const showMib = (bytes: number): string =>
  (bytes / 2 ** 20).toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
