import { Xoshiro128 } from '../../formats/xoshiro128.ts';
import type { Gpu } from '../device.ts';
import type { LoraFactor, Nf4Weight } from '../kernels/nf4-call.ts';
import type { Variant, Precision } from '../kernels/nf4-variant.ts';
import { NF4_FORWARD, NF4_GRAD } from '../kernels/nf4-variants.ts';
import { NORMS } from '../kernels/rmsnorm.ts';
import { view, type GpuBuffer, type View } from '../memory.ts';
import { Stream } from '../stream.ts';
import { deviceKey, type TuningCache, type Winners } from './cache.ts';
import { fastest, type Contest } from './contest.ts';
import {
  candidates,
  className,
  DIRECTIONS,
  NORM_CLASS,
  type Direction,
  type Shape,
  type Tiles,
} from './products.ts';

/** The products of a run. */
export interface Workload {
  precision: Precision;
  /** Shapes of its weights. */
  shapes: readonly Shape[];
  /** Of the norms' rows. */
  width: number;
  /** Most tokens of a pass. */
  rows: number;
  /** Of LoRA; 0 for none. */
  rank: number;
  /** Whether the scales are double-quantised. */
  nested: boolean;
}

export interface Tuning {
  cache?: TuningCache | undefined;
  onProgress: (done: number, total: number) => void;
  /** Hears of variants that were left out of a race. */
  note: (text: string) => void;
}

/** What is raced by itself. */
interface Class {
  name: string;
  /** How its race is called in the cache. */
  race: string;
  /** Its variants on this device, the default first. */
  variants: readonly string[];
  run(): Promise<string>;
}

/**
 * Chooses the variant for each class of products: by a race on the device, or by the cache's memory of one. Software
 * devices take the defaults, as do classes with one variant. Needs a rung that the device supports.
 */
export async function chooseTiles(gpu: Gpu, work: Workload, tuning: Tuning): Promise<Tiles> {
  const classes = classesOf(gpu, work, tuning.note);
  if (gpu.software) return Object.fromEntries(classes.map(({ name, variants }) => [name, variants[0]!]));
  const device = deviceKey(gpu);
  const winners: Record<string, string> = { ...(await remembered(tuning.cache, device)) };
  const open = classes.filter(({ race, variants }) => !variants.includes(winners[race] ?? ''));
  for (const [done, { race, run }] of open.entries()) {
    tuning.onProgress(done, open.length);
    winners[race] = await run();
  }
  if (open.length > 0) {
    tuning.onProgress(open.length, open.length);
    await tuning.cache?.set(device, winners);
  }
  return Object.fromEntries(classes.map(({ name, race }) => [name, winners[race]!]));
}

/** Both directions of each shape once, and the norms. */
function classesOf(gpu: Gpu, work: Workload, note: (text: string) => void): Class[] {
  const { precision, shapes, width } = work;
  const products = shapes.flatMap((shape) =>
    DIRECTIONS.map((direction): Class => {
      const name = className(direction, shape);
      return {
        name,
        race: raceName(name, work),
        variants: listed(direction, precision, gpu).map((variant) => variant.name),
        run: () => race(gpu, direction, shape, work, note),
      };
    }),
  );
  const norms: Class = {
    name: NORM_CLASS,
    race: `${NORM_CLASS} of ${width}, ${roughly(work.rows)} rows`,
    variants: candidates(NORMS, 'f32', gpu).map((variant) => variant.name),
    run: () => raceNorms(gpu, work, note),
  };
  return [...new Map([...products, norms].map((one) => [one.name, one])).values()];
}

const listed = (direction: Direction, precision: Precision, gpu: Gpu) =>
  direction === 'forward' ? candidates(NF4_FORWARD, precision, gpu) : candidates(NF4_GRAD, precision, gpu);

/** A race counts for passes of about as many tokens: up to the next power of two. */
const roughly = (rows: number): number => 2 ** Math.ceil(Math.log2(rows));

const raceName = (name: string, { precision, rows, rank, nested }: Workload): string =>
  `${precision} ${name}, ${roughly(rows)} rows, rank ${rank}${nested ? ', nested' : ''}`;

async function remembered(cache: TuningCache | undefined, device: string): Promise<Winners> {
  return (await cache?.get(device)) ?? {};
}

/** Runs one race on throwaway buffers; resolves to the winner's name. */
async function race(
  gpu: Gpu,
  direction: Direction,
  shape: Shape,
  work: Workload,
  note: (text: string) => void,
): Promise<string> {
  const room = new Room(gpu);
  const stream = new Stream(gpu);
  const onDropped = (name: string, why: string) =>
    note(`${gpu.name}: the kernel ${name} is left out of ${className(direction, shape)}: ${why}.`);
  const run = <Call>(variants: readonly Variant<Call>[], contest: Omit<Contest<Call>, 'variants'>) =>
    fastest(stream, { variants: candidates(variants, work.precision, gpu), ...contest }, onDropped);
  try {
    const { rows, rank } = work;
    const [wide, deep] = [room.floats(rows * shape.columns), room.floats(rows * shape.depth)];
    const weight = room.weight(shape, work.nested);
    const width = direction === 'forward' ? shape.columns : shape.depth;
    const lora: LoraFactor | undefined =
      rank > 0
        ? { activations: room.floats(rows * rank), matrix: room.floats(rank * width), rank }
        : undefined;
    const common = { weight, rows, lora, rowScales: room.floats(rows) };
    const winner =
      direction === 'forward'
        ? await run(NF4_FORWARD, { call: { ...common, x: deep, y: wide }, output: wide })
        : await run(NF4_GRAD, { call: { ...common, dy: wide, dx: deep, accumulate: false }, output: deep });
    return winner.name;
  } finally {
    stream.close();
    room.close();
  }
}

/** Races the ways to add up a row; resolves to the winner's name. */
async function raceNorms(gpu: Gpu, { rows, width }: Workload, note: (text: string) => void): Promise<string> {
  const room = new Room(gpu);
  const stream = new Stream(gpu);
  try {
    const output = room.floats(rows * width);
    const call = {
      x: room.floats(rows * width),
      weight: room.floats(width),
      y: output,
      rows,
      width,
      eps: 1e-6,
    };
    const variants = candidates(NORMS, 'f32', gpu);
    const winner = await fastest(stream, { variants, call, output }, (name, why) =>
      note(`${gpu.name}: norms by ${name} are left out: ${why}.`),
    );
    return winner.name;
  } finally {
    stream.close();
    room.close();
  }
}

/** Random numbers that are made once and repeated. */
const NOISE = 2 ** 16;

/** Throwaway buffers of random numbers. */
class Room {
  readonly #gpu: Gpu;
  readonly #buffers: GpuBuffer[] = [];
  readonly #random = Xoshiro128.seeded(1);

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  floats(count: number): View {
    return this.#filled(
      Float32Array.from({ length: Math.min(NOISE, count) }, () => this.#random.uniform() - 0.5),
      count,
    );
  }

  weight({ columns, depth }: Shape, nested: boolean): Nf4Weight {
    const codes = Uint32Array.from({ length: NOISE }, () => this.#random.u32());
    const blocks = Math.ceil((columns * depth) / 64);
    const absmaxAt = Math.ceil(blocks / 4);
    const mapAt = absmaxAt + Math.ceil(blocks / 256);
    return {
      columns,
      depth,
      codes: this.#filled(codes, (columns * depth) / 8),
      // Any float serves as codes of scales, as absmax and as map.
      scales: this.floats(nested ? mapAt + 256 : blocks),
      ...(nested ? { nested: { absmaxAt, mapAt, shift: 8, offset: 0.5 } } : {}),
    };
  }

  close(): void {
    for (const buffer of this.#buffers) this.#gpu.memory.free(buffer);
  }

  #filled(pattern: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>, count: number): View {
    const buffer = this.#gpu.memory.allocate('race', 'working activations', 4 * count);
    this.#buffers.push(buffer);
    for (let at = 0; at < count; at += pattern.length)
      this.#gpu.device.queue.writeBuffer(
        buffer.raw,
        4 * at,
        pattern,
        0,
        Math.min(pattern.length, count - at),
      );
    return view(buffer);
  }
}
