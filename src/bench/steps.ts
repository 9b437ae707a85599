import type { Gpu } from '../gpu/device.ts';
import { compileKernels } from '../gpu/kernel.ts';
import { Profiler } from '../gpu/profiler.ts';
import { Generator } from '../generate/generator.ts';
import { GREEDY } from '../generate/sampling.ts';
import { neededKernels, plainPass } from '../run/dry-run.ts';
import type { RunPlan } from '../run/run-plan.ts';
import { assembleSession, planInput, type Session } from '../run/session.ts';
import type { PrecisionChoice } from '../run/precision.ts';
import { tunedPlan } from '../run/tune.ts';
import { packWindow, type Pass } from '../text/packing.ts';
import type { Ceilings } from './ceilings.ts';
import { countStep, counting, type StepCounts } from './counts.ts';
import { timeRounds } from './measure.ts';
import { benchInputs, modelTitle, type ModelName } from './models.ts';
import { matrixCells, matrixColumn, rateCells, timeCells, type Cell, type Section } from './report.ts';
import { mixedRows } from './rows.ts';
import { syntheticBase } from './synthetic.ts';

/** What the step benchmarks of one model are given. */
export interface StepsCall {
  tokens: readonly number[];
  /** The rung that the steps compute on. */
  precision: PrecisionChoice;
  rounds: number;
  ceilings: Ceilings;
  onProgress: (text: string) => void;
}

interface Case {
  title: string;
  passes: Pass[];
}

/** Most trained tokens of a step: sixteen rows of up to 600. */
const STEP_TARGETS = 16 * 600;
/** Tokens that rows are packed up to. */
const PACKED = 1024;

/**
 * Whole optimizer steps of a model at true shapes with random weights, by the plan that a run would make, and where
 * their time goes. Throws UserError where the device lacks the rung.
 */
export async function measureSteps(gpu: Gpu, name: ModelName, call: StepsCall): Promise<Section[]> {
  const { onProgress } = call;
  const longest = Math.max(name === 'tiny' ? 64 : PACKED, ...call.tokens);
  const inputs = benchInputs(name, longest, STEP_TARGETS);
  const notes: string[] = [];
  const plan = await tunedPlan(
    gpu,
    { ...inputs, windowTokens: longest },
    {
      precision: call.precision,
      emit: (event) => {
        if (event.type === 'note') notes.push(event.text);
        if (event.type === 'phase')
          onProgress(`${modelTitle(name)}: ${event.phase}, ${event.done} of ${event.total}`);
      },
    },
  );
  onProgress(`${modelTitle(name)}: making random weights`);
  const base = syntheticBase(gpu, inputs, planInput(inputs, plan).positions);
  const session = assembleSession(gpu, base, inputs, plan, inputs.adapter.weights);
  const needed = await neededKernels({ ...inputs, shortest: 4 }, plan, gpu);
  await compileKernels(gpu, needed, (done) => onProgress(`compiling kernels, ${done} of ${needed.length}`));
  // The tiny model is for devices that compute on the CPU.
  const [least, most, packed] = name === 'tiny' ? [4, 16, 64] : [60, 600, PACKED];
  const mixed = mixedRows(inputs.model.config.vocabSize, least, most);
  const cases: Case[] = [
    ...call.tokens.map((tokens) => ({ title: `1 row of ${tokens}`, passes: [plainPass(tokens)] })),
    { title: `16 rows of ${least}–${most}, packed`, passes: packWindow(mixed, packed) },
    {
      title: `16 rows of ${least}–${most}, one a pass`,
      passes: mixed.flatMap((row) => packWindow([row], packed)),
    },
  ];
  const steps: Cell[][] = [];
  for (const { title, passes } of cases) {
    onProgress(`${modelTitle(name)}: ${title}`);
    const counts = await countStep(inputs, plan, passes, gpu);
    steps.push(await measureStep(session, title, passes, counts, call));
  }
  const sections: Section[] = [
    tilesSection(gpu, name, plan, notes),
    {
      name: 'steps',
      title: `Optimizer steps of ${modelTitle(name)}, ${plan.precision}, LoRA of rank 32 on all projections, random weights`,
      columns: [
        '',
        'tokens',
        'passes',
        'ms',
        'spread %',
        'tokens/s',
        'GFLOP/s',
        '% of f32 ceiling',
        'GFLOP/token',
        'dispatches',
        'submits',
        'GPU MiB',
      ],
      rows: steps,
      notes: ['GPU MiB: all that the session holds, for passes of the largest size of this table.'],
    },
  ];
  const profiled = plainPass(Math.min(PACKED, longest));
  sections.push(await profileStep(session, name, profiled, call));
  onProgress(`${modelTitle(name)}: decoding`);
  sections.push(await measureDecoding(session, name, call));
  return sections;
}

/** What the run plan says of the large products. */
function tilesSection(
  { software }: Gpu,
  name: ModelName,
  { precision, tiles, passTokens }: RunPlan,
  notes: string[],
): Section {
  const chosen = software ? 'not raced: the defaults' : `raced for passes of ${passTokens} tokens`;
  return {
    name: 'tiles',
    title: `Kernels of ${modelTitle(name)}, ${precision}, ${chosen}`,
    columns: ['', 'variant'],
    rows: Object.entries(tiles),
    notes,
  };
}

async function measureStep(
  { stream, runner, optimizer }: Session,
  title: string,
  passes: readonly Pass[],
  counts: StepCounts,
  { rounds, ceilings }: StepsCall,
): Promise<Cell[]> {
  let t = 0;
  const step = () => runner.train(passes, optimizer, { t: ++t, learningRate: 0, seed: 1, epoch: 0 });
  const time = await timeRounds(rounds, step);
  const before = { ...stream.counts };
  await step();
  const work = counts.forward + counts.backward + counts.recompute;
  return [
    title,
    counts.tokens,
    passes.length,
    ...timeCells(time),
    { speed: counts.tokens / time.seconds, digits: 0 },
    ...rateCells(work, time.seconds, ceilings.work),
    work / counts.tokens / 1e9,
    stream.counts.dispatches - before.dispatches,
    stream.counts.submits - before.submits,
    stream.gpu.memory.total / 2 ** 20,
  ];
}

/** One step by kernel: times from timestamp queries where the device has them, counts in any case. */
async function profileStep(
  { stream, runner, optimizer, plan: { precision } }: Session,
  name: ModelName,
  pass: Pass,
  { ceilings }: StepsCall,
): Promise<Section> {
  const { gpu } = stream;
  const timed = gpu.device.features.has('timestamp-query');
  const { kernels, listener } = counting();
  stream.listener = listener;
  const profiler = timed ? new Profiler(gpu) : undefined;
  stream.profiler = profiler;
  await runner.train([pass], optimizer, { t: 1, learningRate: 0, seed: 1, epoch: 0 });
  stream.listener = undefined;
  stream.profiler = undefined;
  await profiler?.finish();
  profiler?.close();
  const total = [...(profiler?.times.values() ?? [])].reduce((sum, { seconds }) => sum + seconds, 0);
  const rows = [...kernels].map(([kernel, { calls, work, bytes }]) => {
    const seconds = profiler?.times.get(kernel)?.seconds ?? NaN;
    return { kernel, calls, work, bytes, seconds };
  });
  rows.sort((a, b) => (timed ? b.seconds - a.seconds : b.work - a.work));
  return {
    name: 'kernels',
    title: `One step of ${modelTitle(name)}, ${precision}, at ${pass.ids.length} tokens, by kernel`,
    columns: [
      '',
      'calls',
      'GFLOP',
      'GB bound',
      'ms',
      '% of time',
      'GFLOP/s',
      '% of f32 ceiling',
      ...matrixColumn(ceilings),
      'GB/s',
      '% of copy',
    ],
    rows: rows.map(({ kernel, calls, work, bytes, seconds }) => [
      kernel,
      calls,
      work / 1e9,
      bytes / 1e9,
      { speed: 1000 * seconds },
      { speed: (100 * seconds) / total, digits: 1 },
      ...(work > 0 ? rateCells(work, seconds, ceilings.work) : ['', '']),
      ...matrixCells(work, seconds, ceilings, /_matrix /.test(kernel)),
      { speed: bytes / seconds / 1e9 },
      { speed: (100 * bytes) / seconds / ceilings.bytes, digits: 0 },
    ]),
    notes: timed
      ? ['Each dispatch in a pass of its own, with timestamps around it.']
      : ['This device has no timestamp queries: counts only.'],
  };
}

/** Greedy answers to prompts of 64 tokens, one at a time and many at once. */
async function measureDecoding(
  { stream, lora, runner }: Session,
  name: ModelName,
  { rounds }: StepsCall,
): Promise<Section> {
  const { base } = runner.engine;
  const [prompt, answer] = name === 'tiny' ? [8, 4] : [64, 64];
  const rows: Cell[][] = [];
  for (const sequences of name === 'tiny' ? [1] : [1, 16]) {
    const generator = new Generator(stream, base, { sequences, capacity: prompt + answer, rank: 32 });
    const prompts = Array.from({ length: sequences }, (_, i) =>
      Array.from({ length: prompt }, (_, k) => (7 * i + k) % base.config.vocabSize),
    );
    const options = { maxNewTokens: answer, stopIds: [], sampling: GREEDY, seed: 1 };
    const time = await timeRounds(Math.min(3, rounds), () => generator.generate(prompts, lora, options));
    rows.push([
      `${sequences} at once`,
      sequences * answer,
      ...timeCells(time),
      { speed: (sequences * answer) / time.seconds },
    ]);
    generator.close();
  }
  return {
    name: 'decoding',
    title: `Answers of ${modelTitle(name)} with its adapter: ${answer} new tokens behind ${prompt}`,
    columns: ['', 'new tokens', 'ms', 'spread %', 'tokens/s'],
    rows,
    notes: ['The time for the prompts is in it.'],
  };
}
