import { GREEDY } from '../../generate/sampling.ts';
import type { Gpu } from '../../gpu/device.ts';
import { type Needed, pipelineLabel } from '../../gpu/kernel.ts';
import { openNullGpu } from '../../gpu/null-device.ts';
import { allocateBase } from '../../model/base/allocate.ts';
import type { Pass } from '../../text/packing.ts';
import { assembleSession, planInput, type Session, type SessionInputs } from '../session.ts';
import type { ExecutionPlan } from './execution-plan.ts';
import { tablePositions } from './memory-plan.ts';

/** A run's session on a null device; `like` as for `openNullGpu`. */
export function drySession(inputs: SessionInputs, plan: ExecutionPlan, like?: Gpu): Session {
  const gpu = openNullGpu(like);
  const base = allocateBase(gpu, inputs.model, {
    doubleQuant: inputs.inputs.recipe.quantization.useDoubleQuant,
    positions: tablePositions(planInput(inputs, plan)),
  });
  const none = new Float32Array();
  const weights = inputs.adapter.weights.map(({ module }) => ({ module, A: none, B: none }));
  return assembleSession(gpu, base, inputs, plan, weights);
}

/** A pass of one document of `tokens` tokens; every token but the last is trained on. */
export function plainPass(tokens: number): Pass {
  const targets = Math.max(1, tokens - 1);
  const count = (n: number) => Uint32Array.from({ length: n }, (_, i) => i);
  return {
    ids: count(tokens),
    positions: count(tokens),
    docBegin: new Uint32Array(tokens),
    docEnd: new Uint32Array(tokens).fill(tokens),
    rowOf: new Uint32Array(tokens),
    targets: { index: count(targets), label: count(targets), rowOf: new Uint32Array(targets) },
  };
}

/**
 * Everything that training and evaluation will dispatch on a device like `like`, found by a dry run over passes of
 * all sizes from the shortest row to the largest pass: near powers of two, because which kernel serves a product
 * may depend on its rows.
 */
export async function neededKernels(
  inputs: SessionInputs & { shortest: number },
  plan: ExecutionPlan,
  like: Gpu,
): Promise<Needed[]> {
  const session = drySession(inputs, plan, like);
  const { runner, optimizer, stream } = session;
  const needed = new Map<string, Needed>();
  stream.listener = (kernel, { constants = {} }) => {
    needed.set(pipelineLabel(kernel.spec, constants), { kernel, constants });
  };
  const call = { t: 1, learningRate: 0, seed: 0, epoch: 0 };
  for (const tokens of sizes(inputs.shortest, plan.passTokens)) {
    const pass = plainPass(tokens);
    await runner.train([pass], optimizer, call);
    await runner.evaluate(pass);
  }
  await answerDry(session, inputs);
  return [...needed.values()];
}

/** Answers the sample prompts with two tokens each: one, two, and up to all of them at once. */
async function answerDry({ generator, lora }: Session, { samples }: SessionInputs): Promise<void> {
  const prompts = [...(samples?.prompts.values() ?? [])];
  for (let count = 1; count <= Math.min(prompts.length, samples?.shape.sequences ?? 0); count++) {
    const options = { maxNewTokens: Math.min(2, samples!.maxNewTokens), sampling: GREEDY, seed: 0 };
    await generator?.generate(prompts.slice(-count), lora, { ...options, stopIds: [] });
  }
}

/** `least`, `most`, and 2ⁿ and 2ⁿ + 1 between them. */
function sizes(least: number, most: number): number[] {
  const all = new Set([least, most]);
  for (let n = 1; n < most; n *= 2) {
    for (const size of [n, n + 1]) {
      if (size > least && size < most) {
        all.add(size);
      }
    }
  }
  return [...all];
}
