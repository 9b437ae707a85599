import type { Gpu } from '../device.ts';
import { ceilDiv } from '../grid.ts';
import { ATTENTION_CLASSES } from '../kernels/attention/index.ts';
import type { Nf4ForwardVariant, Variant } from '../kernels/linear/nf4-variant.ts';
import { NORMS } from '../kernels/rmsnorm.ts';
import { attentionCandidates, forwardCandidates, gradientCandidates, headCandidates } from './candidates.ts';
import {
  className,
  DIRECTIONS,
  HEAD_CLASS,
  type KernelSelection,
  NORM_CLASS,
  variantCandidates,
} from './kernel-selection.ts';
import { TrialDropped } from './trial.ts';
import { attentionRace, headRace, normRace, productRace, type Race } from './trials.ts';
import { TuningResults } from './tried-variants.ts';
import type { TuningCache } from './tuning-results.ts';
import type { Workload } from './workload.ts';

export interface Tuning {
  cache?: TuningCache | undefined;
  /** Called with how many of the variants to try are compiled. */
  onProgress: (done: number, total: number) => void;
  /** Called when a variant is excluded from a trial, or a trial cannot run. */
  note: (text: string) => void;
}

/** A class of operations whose variant is chosen by one trial. */
interface KernelClass {
  name: string;
  /** Key of its result in the tuning cache. */
  key: string;
  /** How notes refer to its variants. */
  title: string;
  /** Its variants on this device, the default first. */
  variants: readonly Pick<Variant<never>, 'name' | 'precision'>[];
  /** What software devices take; by default the first variant. */
  untimed?: string;
  race: Race;
}

/**
 * Chooses the variant of each class by timing them on the device, or from the tuning cache. Software devices take
 * the one that computes least beside the product, classes with a single variant that one. The device must support
 * `work.precision`.
 */
export async function chooseKernels(gpu: Gpu, work: Workload, tuning: Tuning): Promise<KernelSelection> {
  const classes = tunedClasses(gpu, work);
  if (gpu.software) {
    return Object.fromEntries(
      classes.map(({ name, variants, untimed }) => [name, untimed ?? variants[0]!.name]),
    );
  }
  const results = await TuningResults.open(gpu, tuning.cache);
  const chosen = new Map<KernelClass, string>();
  const known = ({ key, variants }: KernelClass) =>
    variants.find(({ name }) => name === results.best(key))?.name;
  const open = classes.filter((one) => one.variants.length > 1 && known(one) === undefined);
  const total = open.reduce((sum, { variants }) => sum + variants.length, 0);
  let done = 0;
  for (const one of open) {
    tuning.onProgress(done, total);
    const step = () => tuning.onProgress(++done, total);
    const after = done + one.variants.length;
    chosen.set(one, await decide(gpu, one, results, { note: tuning.note, step }));
    done = after;
  }
  if (total > 0) {
    tuning.onProgress(total, total);
  }
  return Object.fromEntries(
    classes.map((one) => [one.name, chosen.get(one) ?? known(one) ?? one.variants[0]!.name]),
  );
}

/**
 * Runs one trial and stores its result. If it cannot run, nothing is stored and the first f32 variant is used: the
 * others count as correct only after comparison with it.
 */
async function decide(
  gpu: Gpu,
  { key, title, variants, race }: KernelClass,
  results: TuningResults,
  { note, step }: { note: (text: string) => void; step: () => void },
): Promise<string> {
  const leftOut = (name: string, why: string) => note(`${gpu.name}: ${title} ${name} is not used: ${why}.`);
  const crashed = results.crashed(key);
  for (const { name } of variants.filter((one) => crashed.includes(one.name))) {
    leftOut(name, 'an earlier start ended while it was tried');
  }
  let latest: string | undefined;
  try {
    const fastest = await race.run((name) => !crashed.includes(name), {
      dropped: leftOut,
      compiled: step,
      async running(name, what) {
        latest = name;
        await results.markTrying(key, what === 'first' ? name : undefined);
      },
    });
    await results.setBest(key, fastest);
    return fastest;
  } catch (error) {
    // A variant that was being tried when the trial broke off, for example because the device was lost, is not
    // tried again.
    await results.markTrying(key, error instanceof TrialDropped ? undefined : latest);
    if (!(error instanceof TrialDropped)) {
      throw error;
    }
    const inF32 = variants.filter(({ precision }) => precision === 'f32');
    const { name } = inF32.find((one) => !crashed.includes(one.name)) ?? inF32[0]!;
    note(`${gpu.name}: ${title} ${name} is used without a trial (${error.message.replace(/\.$/, '')}).`);
    return name;
  }
}

/** Both directions of each distinct weight shape, the head, the norms and the parts of attention. */
export function tunedClasses(gpu: Gpu, work: Workload): KernelClass[] {
  const { precision, shapes, width } = work;
  const products = shapes.flatMap((shape) =>
    DIRECTIONS.map((direction): KernelClass => {
      const name = className(direction, shape);
      const candidates = direction === 'forward' ? forwardCandidates : gradientCandidates;
      const variants = candidates(shape, work, gpu);
      return {
        name,
        key: trialName(name, work),
        title: `for ${name} the kernel`,
        variants,
        untimed: leastPadded(variants, work.rows, direction === 'forward' ? shape.columns : shape.depth),
        race: productRace(gpu, direction, shape, work),
      };
    }),
  );
  const head: KernelClass = {
    name: HEAD_CLASS,
    key: `${precision} ${HEAD_CLASS} of ${width}, ${work.head.rows} rows`,
    title: 'the head by',
    variants: headCandidates(work, gpu),
    race: headRace(gpu, work),
  };
  const norms: KernelClass = {
    name: NORM_CLASS,
    key: `${NORM_CLASS} of ${width}, ${roughly(work.rows)} rows`,
    title: 'the reduction of norms by',
    variants: variantCandidates(NORMS, 'f32', gpu),
    race: normRace(gpu, work),
  };
  const { heads, kvHeads, headDim } = work.attention;
  const attention = ATTENTION_CLASSES.map((part): KernelClass => ({
    name: part,
    key: `${precision} ${part}, ${heads} heads on ${kvHeads} of ${headDim}, ${roughly(work.rows)} tokens in rows of ${roughly(work.longest)}`,
    title: `for ${part} the kernel`,
    variants: attentionCandidates(part, work, gpu),
    race: attentionRace(gpu, part, work),
  }));
  return [...new Map([...products, head, norms, ...attention].map((one) => [one.name, one])).values()];
}

type Tiled = Pick<Nf4ForwardVariant, 'name' | 'tile'>;

/** Of the default and those like it, the first whose tiles compute least beside a product of `rows` × `columns`. */
function leastPadded(variants: readonly Tiled[], rows: number, columns: number): string {
  const padded = (size: number, tile: number) => ceilDiv(size, tile) * tile;
  const computed = ({ tile }: Tiled) =>
    tile ? padded(rows, tile.rows) * padded(columns, tile.columns) : NaN;
  // NaN is neither less nor more: what is of another kind never takes the default's place.
  return variants.reduce((best, one) => (computed(one) < computed(best) ? one : best)).name;
}

/** A trial's result applies to passes of similar length: up to the next power of two. */
const roughly = (rows: number): number => 2 ** Math.ceil(Math.log2(rows));

const trialName = (name: string, { precision, rows, rank, nested }: Workload): string =>
  `${precision} ${name}, ${roughly(rows)} rows, rank ${rank}${nested ? ', nested' : ''}`;
