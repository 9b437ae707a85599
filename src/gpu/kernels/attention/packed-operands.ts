import type { Gpu } from '../../device.ts';
import { ceilDiv } from '../../grid.ts';
import { type BufferView, view } from '../../memory.ts';
import type { Stream } from '../../stream.ts';
import { type Attention, attentionScratch } from './attention.ts';
import type { PackedAttention } from './packed-kernels.ts';

/** Rows of a block, and rows and columns of its tiles. */
export const EDGE = 16;

/** An operand of one part of attention: which of q, k, v and do, and how it is packed. */
interface Operand {
  readonly of: 'q' | 'k' | 'v' | 'dout';
  /** Tiles of rows, high and low halves. */
  readonly natural: boolean;
  /** Of the tiles for sums over rows: none, the high halves, or both. */
  readonly parts: 0 | 1 | 2;
}

/** What each part packs, in the order in which it lies; the first is of queries. */
const OPERANDS = {
  forward: [
    { of: 'q', natural: true, parts: 0 },
    { of: 'k', natural: true, parts: 0 },
    { of: 'v', natural: false, parts: 2 },
  ],
  keys: [
    { of: 'q', natural: true, parts: 1 },
    { of: 'dout', natural: true, parts: 1 },
    { of: 'k', natural: true, parts: 0 },
    { of: 'v', natural: true, parts: 0 },
  ],
  queries: [
    { of: 'q', natural: true, parts: 0 },
    { of: 'dout', natural: true, parts: 0 },
    { of: 'k', natural: true, parts: 2 },
    { of: 'v', natural: true, parts: 0 },
  ],
} as const satisfies Record<string, readonly Operand[]>;
export type PackedPart = keyof typeof OPERANDS;
const PARTS = { attention: 'forward', 'attention keys': 'keys', 'attention queries': 'queries' } as const;

type Shape = Pick<Attention, 'tokens' | 'heads' | 'kvHeads' | 'headDim'>;

const align = (bytes: number): number => 256 * ceilDiv(bytes, 256);

/** Blocks of a key head's queries and of its keys. */
const blocksOf = ({ tokens, heads, kvHeads }: Shape) => ({
  q: ceilDiv((tokens * heads) / kvHeads, EDGE),
  k: ceilDiv(tokens, EDGE),
});

/** Where the operands of `count` key heads lie: tiles in halves, scales in pairs, and bytes of all. */
function layoutOf(part: PackedPart, shape: Shape, count: number, halfBytes: number) {
  const blocks = blocksOf(shape);
  const half = EDGE * shape.headDim;
  let halves = 0;
  let scales = 0;
  const places = OPERANDS[part].map((operand: Operand) => {
    const each = operand.of === 'k' || operand.of === 'v' ? blocks.k : blocks.q;
    const tiles = halves;
    const columns = tiles + (operand.natural ? 2 : 0) * half * each * count;
    const place = { ...operand, blocks: each, tiles, columns, scales };
    halves = columns + operand.parts * half * each * count;
    scales += each * count;
    return place;
  });
  const tileBytes = align(halfBytes * halves);
  const scaleBytes = align(8 * scales);
  const rowBytes = part === 'forward' ? 256 : align(16 * EDGE * blocks.q * count);
  return { blocks, places, tileBytes, scaleBytes, rowBytes, bytes: tileBytes + scaleBytes + rowBytes };
}

/** Bytes at the beginning of the scratch that are not for packed operands: the shares of dk and dv. */
export const sharesOf = (part: PackedPart, shape: Shape): number =>
  part === 'keys' ? align(4 * attentionScratch(shape.tokens, shape)) : 0;

/** Bytes of scratch with which a part packs all heads at once. */
export function packedAttentionBytes(name: keyof typeof PARTS, shape: Shape): number {
  const part = PARTS[name];
  return sharesOf(part, shape) + layoutOf(part, shape, shape.kvHeads, 2).bytes;
}

/** Whether a part has the room for at least one key head's operands in `scratch` bytes. */
export const packsAttention = (gpu: Gpu, name: keyof typeof PARTS, shape: Shape, scratch: number): boolean =>
  headsAtOnce(gpu, PARTS[name], shape, scratch, 2) > 0;

/** Key heads whose operands `scratch` bytes hold at once, each in a binding. */
export function headsAtOnce(
  gpu: Gpu,
  part: PackedPart,
  shape: Shape,
  scratch: number,
  halfBytes: number,
): number {
  const room = scratch - sharesOf(part, shape);
  const most = gpu.device.limits.maxStorageBufferBindingSize;
  for (let count = shape.kvHeads; count > 0; count--) {
    const { bytes, tileBytes } = layoutOf(part, shape, count, halfBytes);
    if (bytes <= room && tileBytes <= most) {
      return count;
    }
  }
  return 0;
}

type Packed = Attention & { dout?: BufferView; scratch: BufferView };

/** Packed operands of some key heads. */
export interface PackedChunk {
  readonly first: number;
  readonly count: number;
  /** The shape of attention with these heads alone. */
  readonly heads: number;
  readonly blocks: { q: number; k: number };
  readonly tiles: BufferView;
  readonly scales: BufferView;
  readonly rows: BufferView;
  place(of: Operand['of']): { tiles: number; columns: number; scales: number };
}

/** Packs the operands of as many key heads at once as fit, and lets `use` take them. */
export function forEachChunk(
  stream: Stream,
  { pack: kernel, halfBytes }: PackedAttention,
  part: PackedPart,
  call: Packed,
  use: (chunk: PackedChunk) => void,
): void {
  const { tokens, kvHeads, scratch, stats, ranges } = call;
  const group = call.heads / kvHeads;
  const atOnce = headsAtOnce(stream.gpu, part, call, scratch.size, halfBytes);
  for (let first = 0; first < kvHeads; first += atOnce) {
    const count = Math.min(atOnce, kvHeads - first);
    const { blocks, places, tileBytes, scaleBytes, rowBytes } = layoutOf(part, call, count, halfBytes);
    const begin = scratch.offset + sharesOf(part, call);
    const tiles = view(scratch.buffer, begin, tileBytes);
    const scales = view(scratch.buffer, begin + tileBytes, scaleBytes);
    const rows = view(scratch.buffer, begin + tileBytes + scaleBytes, rowBytes);
    // The gradient of the output is the last, for which the kernel does more.
    const operands = places.toSorted((a, b) => Number(a.of === 'dout') - Number(b.of === 'dout'));
    const [x0, x1, x2, x3 = x2] = operands.map(({ of }) => call[of]!);
    stream.dispatch(kernel, {
      buffers: [x0!, x1!, x2!, x3!, stats, ranges, tiles, scales, rows],
      parts: operands.map(({ of, natural, parts, ...at }) => {
        const ofKeys = of === 'k' || of === 'v';
        return {
          ...{ heads: ofKeys ? kvHeads : call.heads, group: ofKeys ? 1 : group, blocks: at.blocks },
          ...{ tiles_at: at.tiles, columns_at: at.columns, scales_at: at.scales },
          ...{ natural: Number(natural), columns: parts },
        };
      }),
      params: { tokens, first },
      constants: { STATS: Number(part !== 'forward') },
      groups: [Math.max(blocks.q, blocks.k), count, operands.length],
      bytes: operands.reduce((sum, { blocks: each, natural, parts }) => {
        const halves = (natural ? 2 : 0) + parts;
        return sum + EDGE * each * count * call.headDim * (4 + halfBytes * halves);
      }, 0),
    });
    const place = (of: Operand['of']) => places.find((one) => one.of === of)!;
    use({ first, count, heads: count * group, blocks, tiles, scales, rows, place });
  }
}
