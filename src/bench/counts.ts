import type { Gpu } from '../gpu/device.ts';
import type { ParamSpec } from '../gpu/kernel.ts';
import type { Dispatch, Listener } from '../gpu/stream.ts';
import { drySession } from '../run/plan/dry-run.ts';
import type { ExecutionPlan } from '../run/plan/execution-plan.ts';
import type { SessionInputs } from '../run/session.ts';
import type { Pass } from '../text/packing.ts';

/** How often a kernel is called, and the totals of its calls. */
interface KernelCount {
  calls: number;
  /** Floating-point operations. */
  work: number;
  /** Bytes of all bindings, once per call: more than is moved if a kernel uses only part of its scratch. */
  bytes: number;
}

/** The work of one optimizer step over some passes. */
export interface StepCounts {
  tokens: number;
  dispatches: number;
  /** Floating-point operations: forward and loss, gradients, and recomputation. */
  forward: number;
  backward: number;
  recompute: number;
  bytes: number;
  gpuBytes: number;
  kernels: Map<string, KernelCount>;
}

/** Attention's work within documents, as a fraction of that with each pass as one document. */
export function attentionShare(passes: readonly Pass[]): number {
  const pairs = (begin: (pass: Pass, token: number) => number) =>
    passes.reduce(
      (sum, pass) => pass.ids.reduce((s, _, token) => s + token + 1 - begin(pass, token), sum),
      0,
    );
  return pairs(({ docBegin }, token) => docBegin[token]!) / pairs(() => 0);
}

/** Whether a kernel's calls assume one document per pass, because they do not see the documents. */
export const isAttention = (kernel: string): boolean => kernel.startsWith('attention');

/**
 * Bytes that a call moves at least. What is written was read before only if it is accumulated; that is not
 * distinguished.
 */
export function bytesMoved({ buffers, bytes }: Dispatch<ParamSpec>): number {
  if (bytes !== undefined) {
    return typeof bytes === 'number' ? bytes : bytes();
  }
  // A view bound in place of an absent one counts once.
  const views = new Map(buffers.map((v) => [`${v.buffer.id} ${v.offset}`, v.size]));
  return [...views.values()].reduce((sum, size) => sum + size, 0);
}

/** Counts a stream's calls from now on, with attention's work scaled by its share. */
export function counting(share = 1): { kernels: Map<string, KernelCount>; listener: Listener } {
  const kernels = new Map<string, KernelCount>();
  const listener: Listener = ({ spec }, call) => {
    const { work = 0 } = call;
    const count = kernels.get(spec.name) ?? { calls: 0, work: 0, bytes: 0 };
    count.calls++;
    count.work += isAttention(spec.name) ? share * work : work;
    count.bytes += bytesMoved(call);
    kernels.set(spec.name, count);
  };
  return { kernels, listener };
}

/** Kernels of the forward pass that the backward pass calls only for recomputation. */
const REPEATED = /^(nf4_|attention)/;

/**
 * Counts one step by a dry run. Work of the large forward kernels beyond that of an evaluation of the same passes
 * counts as recomputation; LoRA's small products, which use the same kernels both ways, count as gradients.
 */
export async function countStep(
  inputs: SessionInputs,
  plan: ExecutionPlan,
  passes: readonly Pass[],
  like?: Gpu,
): Promise<StepCounts> {
  const { stream, runner, optimizer } = drySession(inputs, plan, like);
  const share = attentionShare(passes);
  const evaluation = counting(share);
  stream.listener = evaluation.listener;
  for (const pass of passes) {
    await runner.evaluate(pass);
  }
  const training = counting(share);
  stream.listener = training.listener;
  const before = stream.counts.dispatches;
  await runner.train(passes, optimizer, { t: 1, learningRate: 0, seed: 0, epoch: 0 });
  const sum = (of: Iterable<KernelCount>, what: 'work' | 'bytes') =>
    [...of].reduce((total, count) => total + count[what], 0);
  const forward = sum(evaluation.kernels.values(), 'work');
  const again = [...training.kernels].filter(([name]) => REPEATED.test(name) && evaluation.kernels.has(name));
  const recompute = again.reduce(
    (total, [name, { work }]) => total + work - evaluation.kernels.get(name)!.work,
    0,
  );
  return {
    tokens: passes.reduce((total, { ids }) => total + ids.length, 0),
    dispatches: stream.counts.dispatches - before,
    forward,
    backward: sum(training.kernels.values(), 'work') - forward - recompute,
    recompute,
    bytes: sum(training.kernels.values(), 'bytes'),
    gpuBytes: stream.gpu.memory.total,
    kernels: training.kernels,
  };
}
