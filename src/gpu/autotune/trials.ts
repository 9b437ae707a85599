import type { Gpu } from '../device.ts';
import { attentionScratch } from '../kernels/attention/attention.ts';
import type { AttentionCalls, AttentionClass } from '../kernels/attention/index.ts';
import { packedAttentionBytes } from '../kernels/attention/packed-operands.ts';
import { NF4_FORWARD, NF4_GRAD } from '../kernels/linear/index.ts';
import type { LoraFactor } from '../kernels/linear/nf4-operands.ts';
import { packedBytes } from '../kernels/linear/nf4-packed.ts';
import type { Precision, Variant } from '../kernels/linear/nf4-variant.ts';
import { headSlices, type Table } from '../kernels/lm-head/lm-head.ts';
import { packedHeadBytes } from '../kernels/lm-head/packed.ts';
import { NORMS } from '../kernels/rmsnorm.ts';
import { type Listener, Stream } from '../stream.ts';
import {
  attentionCandidates,
  forwardCandidates,
  gradientCandidates,
  headCandidates,
  type ProductWork,
} from './candidates.ts';
import { type Direction, type Shape, variantCandidates } from './kernel-selection.ts';
import { ScratchBuffers } from './scratch-buffers.ts';
import { agreeing, fastest, type Trial, type TrialEvents } from './trial.ts';
import type { Workload } from './workload.ts';

/** The variants of a class, each ready to be dispatched with the same inputs. */
export interface Race {
  /** Times those that `mayRun` admits; resolves to the name of the fastest. */
  run(mayRun: (name: string) => boolean, events: TrialEvents): Promise<string>;
  /** For devices that compute nothing: dispatches each once, heard by `listener(its name)`. */
  record(listener: (name: string) => Listener): Promise<void>;
}

/** Of the products with weights of one shape. */
export const productRace = (gpu: Gpu, direction: Direction, shape: Shape, work: ProductWork): Race =>
  direction === 'forward'
    ? raceOf(gpu, forwardCandidates(shape, work, gpu), forwardProduct(gpu, shape, work))
    : raceOf(gpu, gradientCandidates(shape, work, gpu), gradientProduct(gpu, shape, work));

const forwardProduct = (gpu: Gpu, shape: Shape, work: ProductWork) => (buffers: ScratchBuffers) => {
  const { wide, deep, common } = productInputs(gpu, buffers, 'forward', shape, work);
  return { call: { ...common, x: deep, y: wide }, output: wide };
};

const gradientProduct = (gpu: Gpu, shape: Shape, work: ProductWork) => (buffers: ScratchBuffers) => {
  const { wide, deep, common } = productInputs(gpu, buffers, 'gradient', shape, work);
  return { call: { ...common, dy: wide, dx: deep, accumulate: false }, output: deep };
};

function productInputs(
  gpu: Gpu,
  buffers: ScratchBuffers,
  direction: Direction,
  shape: Shape,
  { precision, rows, rank, nested, scratch }: ProductWork,
) {
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
}

/** A product of the self-test: several tiles each way and edges in all of them. */
const TEST_SHAPE = { columns: 196, depth: 320 };
const TEST_WORK: ProductWork = { precision: 'f16', rows: 70, rank: 24, nested: true, scratch: 0 };

/**
 * Which kernels in f16 the device computes wrongly, held against f32 on a small product each way, as "NAME: why";
 * empty if it can be trusted with f16. The products' variants can be given.
 */
export async function wrongInF16(
  gpu: Gpu,
  { forward, gradient } = { forward: NF4_FORWARD, gradient: NF4_GRAD },
): Promise<string[]> {
  const wrong: string[] = [];
  const events: TrialEvents = { dropped: (name, why) => void wrong.push(`${name}: ${why}`) };
  const ofF16 = ({ precision }: { precision: Precision }) => precision === 'f16';
  /** f32's default, and those in f16. */
  const tested = <V extends Variant<never>>(variants: readonly V[]) => {
    const able = variantCandidates(variants, 'f16', gpu);
    return [able.find((one) => !ofF16(one))!, ...able.filter(ofF16)];
  };
  await onScratch(gpu, forwardProduct(gpu, TEST_SHAPE, TEST_WORK), (stream, inputs) =>
    agreeing(stream, { variants: tested(forward), ...inputs }, events),
  );
  await onScratch(gpu, gradientProduct(gpu, TEST_SHAPE, TEST_WORK), (stream, inputs) =>
    agreeing(stream, { variants: tested(gradient), ...inputs }, events),
  );
  return wrong;
}

/** Vocabulary of the head's table in a trial: enough to keep any device busy; more would only take memory. */
const TRIAL_VOCAB = 32768;

/** Of both products with the head's table. */
export function headRace(gpu: Gpu, work: Workload): Race {
  const { width, head } = work;
  return raceOf(gpu, headCandidates(work, gpu), (buffers) => {
    const { rows } = head;
    const vocab = Math.min(TRIAL_VOCAB, head.vocab);
    const parts = [{ view: buffers.halves(vocab * width), begin: 0, count: vocab }];
    const table: Table = { parts, format: 'bf16', vocab, width };
    const output = buffers.floats(rows * width);
    const call = {
      ...{ x: buffers.floats(rows * width), table, logits: buffers.floats(rows * vocab), dx: output, rows },
      ...{ rowScales: buffers.floats(rows), scratch: buffers.floats(headSlices(parts) * rows * width) },
      ...(head.packed && { packed: buffers.floats(packedHeadBytes({ vocab, width }) / 4) }),
      // The logits are sums of `width` products of numbers up to ½.
      gradScale: width / 4,
    };
    return { call, output };
  });
}

/** Of the reductions of a norm. */
export const normRace = (gpu: Gpu, { rows, width }: Workload): Race =>
  raceOf(gpu, variantCandidates(NORMS, 'f32', gpu), (buffers) => {
    const output = buffers.floats(rows * width);
    const [x, weight] = [buffers.floats(rows * width), buffers.floats(width)];
    return { call: { x, weight, y: output, rows, width, eps: 1e-6 }, output };
  });

/** Standard deviation of the scores: enough that some keys weigh much more than others. */
const SCORE_SPREAD = 2;

/**
 * Stand-in for every query's log-sum-exp in trials of the gradients: seven standard deviations exceed any score, so
 * that all weights lie between 0 and 1.
 */
const LOG_SUM_EXP = 7 * SCORE_SPREAD;

/** Of a part of attention, over a pass of the longest rows. */
export const attentionRace = <C extends AttentionClass>(gpu: Gpu, part: C, work: Workload): Race =>
  raceOf<AttentionCalls[C]>(gpu, attentionCandidates(part, work, gpu), (buffers) => {
    const { call, outputs } = fillAttentionInputs(buffers, part, work);
    return { call, output: outputs[part] };
  });

/** The arguments of all parts of attention, and the output of each. */
function fillAttentionInputs(
  buffers: ScratchBuffers,
  part: AttentionClass,
  { precision, rows: tokens, longest, scratch, attention: shape }: Workload,
) {
  const { heads, kvHeads, headDim } = shape;
  const packed = precision === 'matrix' ? packedAttentionBytes(part, { tokens, ...shape }) : 0;
  const [wide, narrow] = [tokens * heads * headDim, tokens * kvHeads * headDim];
  const [keys, dk, dv] = buffers.twice(narrow);
  const values = () => buffers.floats(wide);
  const inputs = { q: values(), k: buffers.floats(narrow), v: buffers.floats(narrow), dout: values() };
  const [o, dq, stats] = [values(), values(), buffers.pairs(tokens * heads, LOG_SUM_EXP)];
  const call = {
    ...{ ...inputs, o, dq, dk, dv, stats, tokens, ...shape },
    ranges: buffers.words(documents(longest, tokens)),
    scratch: buffers.floats(Math.max(attentionScratch(tokens, shape), Math.min(packed, scratch) / 4)),
    // The product of two of these random numbers has a standard deviation of 1/12.
    scale: (12 * SCORE_SPREAD) / Math.sqrt(headDim),
  };
  return { call, outputs: { attention: o, 'attention keys': keys, 'attention queries': dq } };
}

/** Document range of each token: documents have `longest` tokens, the last one what remains. */
const documents = (longest: number, tokens: number): number[] =>
  Array.from({ length: tokens }, (_, token) => {
    const begin = token - (token % longest);
    return [begin, Math.min(begin + longest, tokens)];
  }).flat();

function raceOf<Call>(
  gpu: Gpu,
  variants: readonly Variant<Call>[],
  fillInputs: (buffers: ScratchBuffers) => Omit<Trial<Call>, 'variants'>,
): Race {
  return {
    run: (mayRun, events) =>
      onScratch(gpu, fillInputs, async (stream, inputs) => {
        const admitted = variants.filter(({ name }) => mayRun(name));
        return (await fastest(stream, { variants: admitted, ...inputs }, events)).name;
      }),
    record: (listener) =>
      onScratch(
        gpu,
        fillInputs,
        (stream, { call }) => {
          for (const variant of variants) {
            stream.listener = listener(variant.name);
            variant.dispatch(stream, call);
          }
          return Promise.resolve();
        },
        { empty: true },
      ),
  };
}

/** `run` on a stream and temporary buffers of its own. */
async function onScratch<Inputs, T>(
  gpu: Gpu,
  fillInputs: (buffers: ScratchBuffers) => Inputs,
  run: (stream: Stream, inputs: Inputs) => Promise<T>,
  options: { empty?: boolean } = {},
): Promise<T> {
  const buffers = new ScratchBuffers(gpu, options);
  const stream = new Stream(gpu);
  try {
    return await run(stream, await buffers.fillInputs(fillInputs));
  } finally {
    stream.close();
    buffers.close();
  }
}
