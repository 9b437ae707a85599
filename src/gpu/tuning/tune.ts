import { Xoshiro128 } from '../../formats/xoshiro128.ts';
import type { Gpu } from '../device.ts';
import { headSlices, type Table } from '../kernels/head.ts';
import { HEADS } from '../kernels/heads.ts';
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
  HEAD_CLASS,
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
  /** Of the norms' rows and of the head's. */
  width: number;
  /** Words of the head's table, and the most rows of it at once. */
  head: { vocab: number; rows: number };
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
  const open = classes.filter(
    ({ race, variants }) => variants.length > 1 && !variants.includes(winners[race] ?? ''),
  );
  for (const [done, { race, run }] of open.entries()) {
    tuning.onProgress(done, open.length);
    winners[race] = await run();
  }
  if (open.length > 0) {
    tuning.onProgress(open.length, open.length);
    await tuning.cache?.set(device, winners);
  }
  return Object.fromEntries(
    classes.map(({ name, race, variants }) => [name, variants.length > 1 ? winners[race]! : variants[0]!]),
  );
}

/** Both directions of each shape once, the head, and the norms. */
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
  const head: Class = {
    name: HEAD_CLASS,
    race: `${precision} ${HEAD_CLASS} of ${width}, ${work.head.rows} rows`,
    variants: candidates(HEADS, precision, gpu).map((variant) => variant.name),
    run: () => raceHead(gpu, work, note),
  };
  const norms: Class = {
    name: NORM_CLASS,
    race: `${NORM_CLASS} of ${width}, ${roughly(work.rows)} rows`,
    variants: candidates(NORMS, 'f32', gpu).map((variant) => variant.name),
    run: () => raceNorms(gpu, work, note),
  };
  return [...new Map([...products, head, norms].map((one) => [one.name, one])).values()];
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

/** Words of the head's table in a race: more keep every device busy as well, and take memory. */
const RACED_WORDS = 32768;

/** Races both products with the head's table; resolves to the winner's name. */
async function raceHead(gpu: Gpu, work: Workload, note: (text: string) => void): Promise<string> {
  const room = new Room(gpu);
  const stream = new Stream(gpu);
  try {
    const { width, head } = work;
    const { rows } = head;
    const vocab = Math.min(RACED_WORDS, head.vocab);
    const parts = [{ view: room.halves(vocab * width), begin: 0, count: vocab }];
    const table: Table = { parts, format: 'bf16', vocab, width };
    const output = room.floats(rows * width);
    const call = {
      ...{ x: room.floats(rows * width), table, logits: room.floats(rows * vocab), dx: output, rows },
      ...{ rowScales: room.floats(rows), scratch: room.floats(headSlices(parts) * rows * width) },
      // The logits are sums of `width` products of numbers up to a half.
      gradScale: width / 4,
    };
    const variants = candidates(HEADS, work.precision, gpu);
    const winner = await fastest(stream, { variants, call, output }, (name, why) =>
      note(`${gpu.name}: the head by ${name} is left out: ${why}.`),
    );
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

/** Random numbers that are made once and repeated: a prime, so that rows of no width repeat. */
const NOISE = 65_521;

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
      Float32Array.from({ length: Math.min(NOISE, count) }, () => this.#value()),
      count,
    );
  }

  /** bf16, two in a word: the upper halves of floats. */
  halves(count: number): View {
    const bits = Uint32Array.from({ length: Math.min(NOISE, count / 2) }, () => {
      const [even, odd] = new Uint32Array(Float32Array.of(this.#value(), this.#value()).buffer);
      return (even! >>> 16) | (odd! & 0xffff0000);
    });
    return this.#filled(bits, count / 2);
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

  /** Between -1/2 and 1/2. */
  #value(): number {
    return this.#random.uniform() - 0.5;
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
