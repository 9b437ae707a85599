import { Xoshiro128 } from '../../formats/xoshiro128.ts';
import type { Gpu } from '../device.ts';
import type { LoraFactor, Nf4Weight } from '../kernels/nf4-call.ts';
import type { Nf4Variant, Precision } from '../kernels/nf4-variant.ts';
import { NF4_FORWARD, NF4_GRAD } from '../kernels/nf4-variants.ts';
import { view, type GpuBuffer, type View } from '../memory.ts';
import { Stream } from '../stream.ts';
import { deviceKey, type TuningCache, type Winners } from './cache.ts';
import { fastest, type Contest } from './contest.ts';
import { candidates, className, DIRECTIONS, type Direction, type Shape, type Tiles } from './products.ts';

/** The products of a run. */
export interface Workload {
  precision: Precision;
  /** Shapes of its weights. */
  shapes: readonly Shape[];
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

/**
 * Chooses the variant for each class of products: by a race on the device, or by the cache's memory of one. Software
 * devices take the defaults, as do classes with one variant. Needs a rung that the device supports.
 */
export async function chooseTiles(gpu: Gpu, work: Workload, tuning: Tuning): Promise<Tiles> {
  const classes = classesOf(work.shapes);
  const names = (direction: Direction) => listed(direction, work.precision, gpu).map(({ name }) => name);
  const known = { forward: names('forward'), gradient: names('gradient') };
  if (gpu.software)
    return Object.fromEntries(classes.map((c) => [className(c.direction, c.shape), known[c.direction][0]!]));
  const device = deviceKey(gpu);
  const winners: Record<string, string> = { ...(await remembered(tuning.cache, device)) };
  const open = classes.filter(({ direction, shape }) => {
    const winner = winners[raceName(direction, shape, work)];
    return winner === undefined || !known[direction].includes(winner);
  });
  for (const [done, { direction, shape }] of open.entries()) {
    tuning.onProgress(done, open.length);
    winners[raceName(direction, shape, work)] = await race(gpu, direction, shape, work, tuning.note);
  }
  if (open.length > 0) {
    tuning.onProgress(open.length, open.length);
    await tuning.cache?.set(device, winners);
  }
  return Object.fromEntries(
    classes.map(({ direction, shape }) => [
      className(direction, shape),
      winners[raceName(direction, shape, work)]!,
    ]),
  );
}

/** Both directions of each shape once. */
function classesOf(shapes: readonly Shape[]): { direction: Direction; shape: Shape }[] {
  const all = shapes.flatMap((shape) => DIRECTIONS.map((direction) => ({ direction, shape })));
  return [...new Map(all.map((one) => [className(one.direction, one.shape), one])).values()];
}

const listed = (direction: Direction, precision: Precision, gpu: Gpu) =>
  direction === 'forward' ? candidates(NF4_FORWARD, precision, gpu) : candidates(NF4_GRAD, precision, gpu);

/** A race counts for passes of about as many tokens: up to the next power of two. */
function raceName(direction: Direction, shape: Shape, { precision, rows, rank, nested }: Workload): string {
  const size = 2 ** Math.ceil(Math.log2(rows));
  return `${precision} ${className(direction, shape)}, ${size} rows, rank ${rank}${nested ? ', nested' : ''}`;
}

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
  const run = <Call>(variants: readonly Nf4Variant<Call>[], contest: Omit<Contest<Call>, 'variants'>) =>
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
