import { tunedClasses } from '../gpu/autotune/autotune.ts';
import type { KernelSelection } from '../gpu/autotune/kernel-selection.ts';
import type { Gpu } from '../gpu/device.ts';
import type { Precision } from '../gpu/kernels/linear/nf4-variant.ts';
import { openNullGpu } from '../gpu/null-device.ts';
import { workload } from '../run/choose-kernels.ts';
import { drySession, plainPass } from '../run/plan/dry-run.ts';
import { type ExecutionPlan, newExecutionPlanOf } from '../run/plan/execution-plan.ts';
import { type SessionInputs, withMemory } from '../run/session.ts';
import { type Card, CARDS } from './cards.ts';
import type { Compiled } from './compiled.ts';
import { benchInputs, type ModelName, modelTitle } from './models.ts';
import { firstLayers } from './pipelines.ts';
import type { Cell, ReportSection } from './report.ts';
import { forecastCalls, gathering, type StepCall, type StepForecast } from './step-calls.ts';
import { forecastTuningOf } from './tuning-table.ts';

/** A device like the cards', which all have f16 and subgroup matrices of 16 × 16 × 16. */
const cardLike = (): Gpu =>
  openNullGpu({
    ...openNullGpu(),
    name: 'forecast',
    matrix: { dialect: 'order', shapes: [{ M: 16, N: 16, K: 16 }], subgroupSize: 32, sized: true },
    device: {
      features: new Set(['shader-f16', 'subgroups']),
      limits: {
        maxBufferSize: 2 ** 31,
        maxStorageBufferBindingSize: 2 ** 31 - 4,
        maxStorageBuffersPerShaderStage: 10,
        maxComputeWorkgroupStorageSize: 32768,
        maxComputeInvocationsPerWorkgroup: 1024,
      },
    } as unknown as GPUDevice,
  });

/** The calls of one step of one row, by a dry run. */
async function callsOf(inputs: SessionInputs, plan: ExecutionPlan, tokens: number): Promise<StepCall[]> {
  const { stream, runner, optimizer } = drySession(inputs, plan, cardLike());
  const { calls, listener } = gathering();
  stream.listener = listener;
  await runner.train([plainPass(tokens)], optimizer, { t: 1, learningRate: 0, seed: 0, epoch: 0 });
  return calls;
}

/** A step of two layers with one variant of one class, all else by default. */
interface VariantCalls {
  name: string;
  calls: StepCall[];
}

/** The variants of each class, as autotuning would race them. */
async function variantCalls(
  name: ModelName,
  tokens: number,
  precision: Precision,
): Promise<Map<string, VariantCalls[]>> {
  const gpu = cardLike();
  const inputs = firstLayers(name, tokens, 2);
  const raced = new Map<string, VariantCalls[]>();
  for (const { name: title, variants } of tunedClasses(gpu, workload(inputs, tokens, precision))) {
    const all: VariantCalls[] = [];
    for (const { name } of variants) {
      const plan = newExecutionPlanOf(gpu, tokens, { precision, tiles: { [title]: name } });
      all.push({ name, calls: await callsOf(inputs, plan, tokens) });
    }
    raced.set(title, all);
  }
  return raced;
}

/** The fastest variant of each class on a card, of those with the most figures. */
function winners(
  card: Card,
  compiled: Compiled,
  raced: ReadonlyMap<string, readonly VariantCalls[]>,
): KernelSelection {
  return Object.fromEntries(
    [...raced].map(([title, variants]) => {
      const steps = variants.map(({ name, calls }) => ({ name, ...forecastCalls(card, compiled, calls) }));
      const missing = ({ unknown }: StepForecast) => [...unknown.values()].reduce((sum, n) => sum + n, 0);
      const fewest = Math.min(...steps.map(missing));
      const able = steps.filter((step) => missing(step) === fewest);
      return [title, able.reduce((best, one) => (one.seconds < best.seconds ? one : best)).name];
    }),
  );
}

/** Precisions of the forecast: the plainest, and the highest that all the cards have. */
const STEP_PRECISIONS = ['f32', 'matrix'] as const;

/** Steps of one row by every card, with what autotuning would choose, within the memory that a run takes. */
export async function* forecastModel(
  compiled: Compiled,
  name: ModelName,
  lengths: readonly number[],
  onProgress: (text: string) => void,
): AsyncGenerator<ReportSection> {
  const cards = CARDS.filter(({ target }) => compiled[target]);
  const rows: Cell[][] = [];
  const byKernel = new Map<string, Map<string, number>>();
  const columns: string[] = [];
  const unknown = new Set<string>();
  const races = new Map<string, Map<string, VariantCalls[]>>();
  const gpu = cardLike();
  const model = benchInputs(name, Math.max(...lengths), Math.max(...lengths));
  for (const card of cards) {
    for (const precision of STEP_PRECISIONS) {
      const row: Cell[] = [card.name, precision];
      for (const tokens of lengths) {
        onProgress(`${card.name}, ${precision}, ${tokens} tokens`);
        const key = `${precision} ${tokens}`;
        const raced = races.get(key) ?? (await variantCalls(name, tokens, precision));
        races.set(key, raced);
        const inputs = { ...model, longest: tokens, stepTargets: tokens };
        const planned = newExecutionPlanOf(gpu, tokens, { precision, tiles: winners(card, compiled, raced) });
        // Memory is not looked for: all cards have what runs take without.
        const plan = withMemory(planned, gpu, inputs);
        const step = forecastCalls(card, compiled, await callsOf(inputs, plan, tokens));
        row.push(
          Number((1000 * step.seconds).toFixed(1)),
          Math.round(tokens / step.seconds),
          `${Math.round((100 * step.moving) / step.seconds)}%`,
        );
        [...step.unknown.keys()].forEach((label) => unknown.add(`${card.target} ${label}`));
        if (tokens === lengths[0]) {
          columns.push(`${card.name}, ${precision}`);
          for (const [kernel, seconds] of step.kernels) {
            const of = byKernel.get(kernel) ?? new Map<string, number>();
            byKernel.set(kernel, of.set(columns.at(-1)!, 1000 * seconds));
          }
        }
      }
      rows.push(row);
    }
  }
  yield {
    name: 'forecast',
    title: `A step of ${modelTitle(name)} by forecast: nothing was measured`,
    columns: [
      ...['', 'precision'],
      ...lengths.flatMap((tokens) => [`ms, ${tokens} tokens`, 'tokens/s', 'waiting for memory']),
    ],
    rows,
    notes: [
      FORECAST_NOTE,
      ...(unknown.size > 0
        ? [`Counted by their bytes only, for want of figures: ${[...unknown].join('; ')}.`]
        : []),
    ],
  };
  const most = (times: Map<string, number>) => Math.max(...times.values());
  yield {
    name: 'forecast by kernel',
    title: `The same by kernel, ms of a step of ${lengths[0]} tokens`,
    columns: ['', ...columns],
    rows: [...byKernel]
      .toSorted(([, a], [, b]) => most(b) - most(a))
      .map(([kernel, times]) => [
        kernel,
        ...columns.map((column) => (times.has(column) ? Number(times.get(column)!.toFixed(2)) : '')),
      ]),
    notes: cards.map(
      ({ name, clock, simds, bandwidth, source }) =>
        `${name}: ${simds} SIMDs at ${clock} GHz, ${bandwidth} GB/s (${source}).`,
    ),
  };
  yield await forecastTuningOf(compiled, name, gpu, model);
}

const FORECAST_NOTE =
  'Each call takes what its arithmetic does, by the compiler and the published clock, or what its bytes take from memory, whichever is longer. Left out: the time from one call to the next, waits for caches that the compiler cannot know, clocks that fall under load; bytes that a cache still holds count as if they came from memory.';
