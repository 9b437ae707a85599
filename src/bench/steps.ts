import type { Gpu } from '../gpu/device.ts';
import { compileKernels } from '../gpu/kernel.ts';
import { neededKernels, plainPass } from '../run/plan/dry-run.ts';
import type { ExecutionPlan } from '../run/plan/execution-plan.ts';
import type { PrecisionChoice } from '../run/precision.ts';
import type { Session } from '../run/session.ts';
import { packWindow, type Pass } from '../text/packing.ts';
import type { Ceilings } from './ceilings.ts';
import type { Compiled } from './compiled.ts';
import { countStep, type StepCounts } from './counts.ts';
import { timeRounds } from './measure.ts';
import { type ModelName, modelTitle } from './models.ts';
import { profileStep } from './profile.ts';
import { type Cell, rateCells, type ReportSection, timeCells } from './report.ts';
import { mixedRows, ROWS } from './rows.ts';
import { keptNote, LEVELS_NOTE, openStepSession } from './step-session.ts';

/** Options of one model's step benchmarks. */
interface StepsCall {
  /** The precision of the steps. */
  precision: PrecisionChoice;
  /** Bytes that a session may take; by default what a run may. */
  memory: number | undefined;
  rounds: number;
  ceilings: Ceilings;
  /** What compilers made of the kernels; by default what comes with the program. */
  compiled: Compiled | undefined;
  onProgress: (text: string) => void;
}

/** Steps that share one plan. */
interface Group {
  title: string;
  /** Tokens of the longest row, and of a step: as many rows as fit are packed into a pass. */
  longest: number;
  window: number;
  /** Lengths of single rows. */
  tokens: number[];
  /** Range of the lengths of sixteen rows; if passes hold several of the longest, sixteen of those follow. */
  mixed?: readonly [least: number, most: number];
}

/** Tokens of the longest row with which shorter ones share a plan. */
const shared = (name: ModelName): number => (name === 'tiny' ? 16 : 1024);

/**
 * Single rows, one per step: those up to `shared` have one plan, each longer one that of a run over such rows. Then
 * steps of sixteen rows, whose passes are as large as a run's.
 */
export function stepGroups(name: ModelName, tokens: readonly number[]): Group[] {
  const most = shared(name);
  const single = (longest: number, tokens: number[]): Group => ({
    title: tokens.length > 1 ? `single rows of up to ${longest} tokens` : `a row of ${tokens[0]} tokens`,
    longest,
    window: longest,
    tokens,
  });
  const short = tokens.filter((n) => n <= most);
  return [
    ...(short.length > 0 ? [single(most, short)] : []),
    ...tokens.filter((n) => n > most).map((n) => single(n, [n])),
    {
      title: `steps of ${ROWS} rows`,
      longest: most,
      window: ROWS * most,
      tokens: [],
      mixed: name === 'tiny' ? [4, 16] : [60, 600],
    },
  ];
}

/**
 * Whole optimizer steps of a model with its real shapes and random weights, by the plan that a run would have, and
 * where their time goes; yields each table once complete. Throws UserError if the device lacks the precision or the
 * memory.
 */
export async function* measureSteps(
  gpu: Gpu,
  name: ModelName,
  group: Group,
  call: StepsCall,
): AsyncGenerator<ReportSection> {
  const { onProgress } = call;
  const { longest, window } = group;
  const { session, inputs, notes } = await openStepSession(gpu, name, { ...call, longest, window });
  const { plan } = session;
  yield tilesSection(gpu, name, plan, notes);
  const needed = await neededKernels({ ...inputs, shortest: 4 }, plan, gpu);
  await compileKernels(gpu, needed, (done) => onProgress(`compiling kernels, ${done} of ${needed.length}`));
  const steps: Cell[][] = [];
  const all = cases(group, plan, inputs.model.config.vocabSize);
  for (const { title, passes } of all) {
    onProgress(`${modelTitle(name)}, ${plan.precision}: ${title}`);
    const counts = await countStep(inputs, plan, passes, gpu);
    steps.push(await measureStep(session, title, passes, counts, call));
  }
  yield {
    name: 'steps',
    title: `Optimizer steps of ${modelTitle(name)}, ${plan.precision}, ${group.title}, LoRA of rank 32 on all projections, random weights`,
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
    notes: [
      keptNote(plan),
      LEVELS_NOTE,
      `GPU MiB: all that the session holds, for passes of up to ${plan.passTokens} tokens.`,
    ],
  };
  const pass = group.mixed ? all[0]!.passes[0]! : plainPass(longest);
  yield profileStep(session, name, pass, call.ceilings, call.compiled);
}

/** The group's rows as the passes of steps. */
function cases(
  { longest, tokens, mixed }: Group,
  { passTokens }: ExecutionPlan,
  vocab: number,
): { title: string; passes: Pass[] }[] {
  const single = tokens.map((n) => ({ title: `1 row of ${n}`, passes: [plainPass(n)] }));
  if (!mixed) {
    return single;
  }
  const [least, most] = mixed;
  const rows = mixedRows(vocab, least, most);
  const title = `${ROWS} rows of ${least}–${most}`;
  const equal = mixedRows(vocab, longest, longest);
  return [
    ...single,
    { title: `${title}, packed`, passes: packWindow(rows, passTokens) },
    { title: `${title}, one a pass`, passes: rows.flatMap((row) => packWindow([row], passTokens)) },
    ...(passTokens < 2 * longest
      ? []
      : [{ title: `${ROWS} rows of ${longest}, packed`, passes: packWindow(equal, passTokens) }]),
  ];
}

/** The execution plan's kernels and memory. */
function tilesSection(
  { software }: Gpu,
  name: ModelName,
  plan: ExecutionPlan,
  notes: string[],
): ReportSection {
  const { precision, tiles, passTokens } = plan;
  const chosen = software ? 'not tuned: the defaults' : `tuned for passes of ${passTokens} tokens`;
  return {
    name: 'tiles',
    title: `Kernels of ${modelTitle(name)}, ${precision}, ${chosen}`,
    columns: ['', 'variant'],
    rows: Object.entries(tiles),
    notes: [...notes, keptNote(plan)],
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
  // Before the last step, at the end.
  let before = { ...stream.counts };
  const time = await timeRounds(rounds, () => {
    before = { ...stream.counts };
    return runner.train(passes, optimizer, { t: ++t, learningRate: 0, seed: 1, epoch: 0 });
  });
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
