import type { Gpu } from '../device.ts';
import { attentionScratch } from '../kernels/attention/attention.ts';
import type { AttentionCalls, AttentionClass } from '../kernels/attention/index.ts';
import { NF4_FORWARD, NF4_GRAD } from '../kernels/linear/index.ts';
import type { LoraFactor } from '../kernels/linear/nf4-operands.ts';
import { packedBytes } from '../kernels/linear/nf4-packed.ts';
import type { Variant } from '../kernels/linear/nf4-variant.ts';
import { LM_HEADS } from '../kernels/lm-head/index.ts';
import { headSlices, type Table } from '../kernels/lm-head/lm-head.ts';
import { NORMS } from '../kernels/rmsnorm.ts';
import { Stream } from '../stream.ts';
import { attentionCandidates, type Direction, type Shape, variantCandidates } from './kernel-selection.ts';
import { ScratchBuffers } from './scratch-buffers.ts';
import { fastest, type Trial, type TrialEvents } from './trial.ts';
import type { Workload } from './workload.ts';

type MayRun = (name: string) => boolean;

/** Times the products with weights of one shape; resolves to the name of the fastest variant. */
export function tryProducts(
  gpu: Gpu,
  direction: Direction,
  shape: Shape,
  { precision, rows, rank, nested, scratch }: Workload,
  mayRun: MayRun,
  events: TrialEvents,
): Promise<string> {
  const fillInputs = (buffers: ScratchBuffers) => {
    const { columns, depth } = shape;
    const [width, inner] = direction === 'forward' ? [columns, depth] : [depth, columns];
    const lora: LoraFactor | undefined =
      rank > 0
        ? { activations: buffers.floats(rows * rank), matrix: buffers.floats(rank * width), rank }
        : undefined;
    const packed = precision === 'matrix' ? packedBytes(gpu, { rows, columns: width, inner, rank }) : 0;
    return {
      wide: buffers.floats(rows * columns),
      deep: buffers.floats(rows * depth),
      common: {
        ...{ weight: buffers.weight(shape, nested), rows, lora, rowScales: buffers.floats(rows) },
        scratch: buffers.floats(Math.min(packed, scratch) / 4),
      },
    };
  };
  if (direction === 'forward') {
    return runTrial(
      gpu,
      variantCandidates(NF4_FORWARD, precision, gpu).filter(named(mayRun)),
      events,
      (buffers) => {
        const { wide, deep, common } = fillInputs(buffers);
        return { call: { ...common, x: deep, y: wide }, output: wide };
      },
    );
  }
  return runTrial(
    gpu,
    variantCandidates(NF4_GRAD, precision, gpu).filter(named(mayRun)),
    events,
    (buffers) => {
      const { wide, deep, common } = fillInputs(buffers);
      return { call: { ...common, dy: wide, dx: deep, accumulate: false }, output: deep };
    },
  );
}

/** Vocabulary of the head's table in a trial: enough to keep any device busy; more would only take memory. */
const TRIAL_VOCAB = 32768;

/** Times both products with the head's table; resolves to the name of the fastest variant. */
export function tryLmHead(
  gpu: Gpu,
  { precision, width, head }: Workload,
  mayRun: MayRun,
  events: TrialEvents,
): Promise<string> {
  const variants = variantCandidates(LM_HEADS, precision, gpu).filter(named(mayRun));
  return runTrial(gpu, variants, events, (buffers) => {
    const { rows } = head;
    const vocab = Math.min(TRIAL_VOCAB, head.vocab);
    const parts = [{ view: buffers.halves(vocab * width), begin: 0, count: vocab }];
    const table: Table = { parts, format: 'bf16', vocab, width };
    const output = buffers.floats(rows * width);
    const call = {
      ...{ x: buffers.floats(rows * width), table, logits: buffers.floats(rows * vocab), dx: output, rows },
      ...{ rowScales: buffers.floats(rows), scratch: buffers.floats(headSlices(parts) * rows * width) },
      // The logits are sums of `width` products of numbers up to ½.
      gradScale: width / 4,
    };
    return { call, output };
  });
}

/** Times the reductions of a norm; resolves to the name of the fastest variant. */
export function tryNorms(
  gpu: Gpu,
  { rows, width }: Workload,
  mayRun: MayRun,
  events: TrialEvents,
): Promise<string> {
  return runTrial(gpu, variantCandidates(NORMS, 'f32', gpu).filter(named(mayRun)), events, (buffers) => {
    const output = buffers.floats(rows * width);
    const [x, weight] = [buffers.floats(rows * width), buffers.floats(width)];
    return { call: { x, weight, y: output, rows, width, eps: 1e-6 }, output };
  });
}

/** Standard deviation of the scores: enough that some keys weigh much more than others. */
const SCORE_SPREAD = 2;

/**
 * Stand-in for every query's log-sum-exp in trials of the gradients: seven standard deviations exceed any score, so
 * that all weights lie between 0 and 1.
 */
const LOG_SUM_EXP = 7 * SCORE_SPREAD;

/** Times a part of attention over a pass of the longest rows; resolves to the name of the fastest variant. */
export function tryAttention<C extends AttentionClass>(
  gpu: Gpu,
  part: C,
  work: Workload,
  mayRun: MayRun,
  events: TrialEvents,
): Promise<string> {
  const variants = attentionCandidates(part, work.attention, work.precision, gpu).filter(named(mayRun));
  return runTrial<AttentionCalls[C]>(gpu, variants, events, (buffers) => {
    const { call, outputs } = fillAttentionInputs(buffers, work);
    return { call, output: outputs[part] };
  });
}

/** The arguments of all parts of attention, and the output of each. */
function fillAttentionInputs(buffers: ScratchBuffers, { rows: tokens, longest, attention: shape }: Workload) {
  const { heads, kvHeads, headDim } = shape;
  const [wide, narrow] = [tokens * heads * headDim, tokens * kvHeads * headDim];
  const [keys, dk, dv] = buffers.twice(narrow);
  const values = () => buffers.floats(wide);
  const inputs = { q: values(), k: buffers.floats(narrow), v: buffers.floats(narrow), dout: values() };
  const [o, dq, stats] = [values(), values(), buffers.pairs(tokens * heads, LOG_SUM_EXP)];
  const call = {
    ...{ ...inputs, o, dq, dk, dv, stats, tokens, ...shape },
    ranges: buffers.words(packed(longest, tokens)),
    scratch: buffers.floats(attentionScratch(tokens, shape)),
    // The product of two of these random numbers has a standard deviation of 1/12.
    scale: (12 * SCORE_SPREAD) / Math.sqrt(headDim),
  };
  return { call, outputs: { attention: o, 'attention keys': keys, 'attention queries': dq } };
}

/** Document range of each token: documents have `longest` tokens, the last one what remains. */
const packed = (longest: number, tokens: number): number[] =>
  Array.from({ length: tokens }, (_, token) => {
    const begin = token - (token % longest);
    return [begin, Math.min(begin + longest, tokens)];
  }).flat();

const named =
  (mayRun: MayRun) =>
  ({ name }: { name: string }): boolean =>
    mayRun(name);

async function runTrial<Call>(
  gpu: Gpu,
  variants: readonly Variant<Call>[],
  events: TrialEvents,
  fillInputs: (buffers: ScratchBuffers) => Omit<Trial<Call>, 'variants'>,
): Promise<string> {
  const buffers = new ScratchBuffers(gpu);
  const stream = new Stream(gpu);
  try {
    const trial = await buffers.fillInputs(fillInputs);
    return (await fastest(stream, { variants, ...trial }, events)).name;
  } finally {
    stream.close();
    buffers.close();
  }
}
