import { freshAdapter } from '../formats/adapter.ts';
import { defaultRecipe } from '../formats/recipe.ts';
import { GREEDY } from '../generate/sampling.ts';
import { TextGenerator } from '../generate/text-generator.ts';
import { tunedClasses } from '../gpu/autotune/autotune.ts';
import { supports } from '../gpu/autotune/kernel-selection.ts';
import type { Gpu } from '../gpu/device.ts';
import { type Needed, pipelineLabel } from '../gpu/kernel.ts';
import { type Precision, PRECISIONS } from '../gpu/kernels/linear/nf4-variant.ts';
import { workload } from '../run/choose-kernels.ts';
import { drySession, neededKernels } from '../run/plan/dry-run.ts';
import { newExecutionPlanOf } from '../run/plan/execution-plan.ts';
import type { SessionInputs } from '../run/session.ts';
import { benchModel, type ModelName } from './models.ts';

/** A pipeline by its unique label. */
export interface Pipeline extends Needed {
  readonly label: string;
}

/** Answers side by side: up to eight, each number has its own pipelines; more use those of nine. */
const SEQUENCES = [1, 2, 3, 4, 5, 6, 7, 8, 9];

/**
 * Every pipeline that a run on this device may use with a model of these shapes, and answers of that model: of each
 * precision, with each variant that autotuning can choose. Found by dry runs of one layer. Throws Error if two
 * pipelines have the same label.
 */
export async function modelPipelines(gpu: Gpu, name: ModelName): Promise<Pipeline[]> {
  const tokens = name === 'tiny' ? 64 : 1024;
  const inputs = firstLayers(name, tokens, 1);
  const pipelines = new Map<string, Pipeline>();
  const add = ({ kernel, constants }: Needed) => {
    const label = pipelineLabel(kernel.spec, constants);
    const known = pipelines.get(label);
    if (known && known.kernel.spec.code !== kernel.spec.code) {
      throw new Error(`two pipelines are labeled "${label}"`);
    }
    pipelines.set(label, known ?? { label, kernel, constants });
  };
  for (const precision of PRECISIONS.filter((precision) => supports(gpu, precision))) {
    for (const [i, tiles] of selections(gpu, inputs, tokens, precision).entries()) {
      const plan = newExecutionPlanOf(gpu, tokens, { precision, tiles });
      // Short passes take kernels that are not tuned, and where all is kept others read what was saved.
      const shortest = i === 0 ? 4 : tokens;
      for (const keep of i === 0 ? [undefined, '3'] : [undefined]) {
        (await neededKernels({ ...inputs, shortest }, { ...plan, keep }, gpu)).forEach(add);
      }
    }
  }
  for (const sequences of SEQUENCES) {
    (await answerKernels(gpu, inputs, sequences)).forEach(add);
  }
  return [...pipelines.values()];
}

/** A model's first layers, since all are alike but for the first, whose input needs no gradient; with its adapter. */
export function firstLayers(name: ModelName, tokens: number, layers: number): SessionInputs {
  const model = benchModel(name);
  const config = { ...model.config, layers };
  const recipe = defaultRecipe();
  const adapter = freshAdapter(recipe.lora, config, recipe.seed, name);
  return { model: { ...model, config }, adapter, longest: tokens, stepTargets: tokens, inputs: { recipe } };
}

/** Kernel selections that together name each variant of each class, with room for packed operands and without. */
function selections(gpu: Gpu, inputs: SessionInputs, tokens: number, precision: Precision) {
  const work = workload(inputs, tokens, precision, true);
  const names = new Map<string, Set<string>>();
  for (const scratch of [work.scratch, 0]) {
    for (const { name, variants } of tunedClasses(gpu, { ...work, scratch })) {
      const all = names.get(name) ?? new Set();
      variants.forEach((variant) => all.add(variant.name));
      names.set(name, all);
    }
  }
  const classes = [...names].map(([name, all]) => ({ name, variants: [...all] }));
  const count = Math.max(...classes.map(({ variants }) => variants.length));
  return Array.from({ length: count }, (_, i) =>
    Object.fromEntries(classes.map(({ name, variants }) => [name, variants[i] ?? variants[0]!])),
  );
}

/** What answering dispatches. */
async function answerKernels(gpu: Gpu, inputs: SessionInputs, sequences: number): Promise<Needed[]> {
  const { stream, lora, runner } = drySession(inputs, newExecutionPlanOf(gpu, inputs.longest), gpu);
  const rank = Math.max(...inputs.adapter.weights.map(({ module }) => module.r));
  const needed: Needed[] = [];
  stream.listener = (kernel, { constants = {} }) => void needed.push({ kernel, constants });
  const generator = new TextGenerator(stream, runner.engine.base, {
    sequences,
    capacity: inputs.longest,
    rank,
  });
  const prompts = Array.from({ length: sequences }, () => [0, 1, 2]);
  const options = { maxNewTokens: 3, stopIds: [], sampling: GREEDY, seed: 1 };
  await generator.generate(prompts, lora, options);
  return needed;
}
