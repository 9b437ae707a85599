import type { Gpu } from '../gpu/device.ts';
import { type Precision, PRECISIONS } from '../gpu/kernels/linear/nf4-variant.ts';
import { workload } from '../run/choose-kernels.ts';
import { keptWithPackedHead } from '../run/plan/memory-choice.ts';
import { passInputOf } from '../run/plan/new-execution-plan.ts';
import { sizedInput } from '../run/plan/pass-size.ts';
import type { SessionInputs } from '../run/session.ts';
import { type Card, CARDS, SLOW_CARD } from './cards.ts';
import type { Compiled } from './compiled.ts';
import { type ModelName, modelTitle } from './models.ts';
import type { Cell, ReportSection } from './report.ts';
import { ROWS } from './rows.ts';
import { forecastTuning, trialCalls } from './tuning-forecast.ts';

/** The longest row, and how many of it a step has. */
const LONGEST = 1024;

/** What every card takes for a first start's autotuning, in passes as large as its memory allows. */
export async function forecastTuningOf(
  compiled: Compiled,
  name: ModelName,
  gpu: Gpu,
  inputs: SessionInputs,
): Promise<ReportSection> {
  const rows: Cell[][] = [];
  let unknown = 0;
  for (const { card, precisions } of tunedCards(compiled)) {
    for (const precision of precisions) {
      const { passTokens, packedHead } = passesOf(card, precision, gpu, inputs);
      const work = workload({ ...inputs, longest: LONGEST }, passTokens, precision, packedHead);
      const tuning = await forecastTuning(card, compiled, await trialCalls(gpu, work));
      const [longest, seconds] = [...tuning.classes].reduce((a, b) => (b[1] > a[1] ? b : a));
      unknown = Math.max(unknown, tuning.unknown);
      rows.push([
        ...[card.name, precision, passTokens, Number(tuning.seconds.toFixed(1)), tuning.dispatches],
        ...[tuning.pipelines, `${longest}, ${seconds.toFixed(1)} s`],
      ]);
    }
  }
  return {
    name: 'forecast of tuning',
    title: `Autotuning at a first start with ${modelTitle(name)} by forecast: nothing was measured`,
    columns: ['', 'precision', 'tokens a pass', 's', 'dispatches', 'pipelines', 'longest'],
    rows,
    notes: [
      'Every variant that is tried runs once to compare its result, then in the rounds of the tuner’s own rules, each call as long as by forecast. Left out: compiling the pipelines, filling the inputs, the way to the device and back.',
      ...(unknown > 0
        ? [`Pipelines without figures, taken to be as slow as the slowest of their class: up to ${unknown}.`]
        : []),
    ],
  };
}

const tunedCards = (compiled: Compiled): { card: Card; precisions: readonly Precision[] }[] =>
  [
    ...CARDS.map((card) => ({ card, precisions: PRECISIONS })),
    { card: SLOW_CARD, precisions: PRECISIONS.filter((precision) => precision !== 'matrix') },
  ].filter(({ card }) => compiled[card.target]);

/** The passes of a run that has the card's memory. */
function passesOf(card: Card, precision: Precision, gpu: Gpu, inputs: SessionInputs) {
  const bytes = card.memory * 1e9;
  const step = { longest: LONGEST, windowTokens: ROWS * LONGEST, stepTargets: ROWS * LONGEST };
  const asked = passInputOf({ ...inputs, ...step }, precision);
  const input = sizedInput(asked, bytes, gpu.device.limits.maxStorageBufferBindingSize);
  const packedHead = precision === 'matrix' && keptWithPackedHead(input) <= bytes;
  return { passTokens: input.passTokens, packedHead };
}
