import { joinBytes } from '../../support/memory-folder.ts';
import type { Random } from '../../support/random.ts';
import { bytesOf, textOf } from '../format.ts';
import { mutateBytes } from './bytes.ts';
import { mutateJson, parsed } from './json.ts';

const WORDS = [
  ...[
    '"F32"',
    '"BF16"',
    '"F16"',
    '"I8"',
    '"BOOL"',
    '"F4"',
    '"F6_E2M3"',
    '"f32"',
    '"F64"',
    '"C64"',
    '"U64"',
    '"Q4"',
  ],
  ...[
    '[]',
    '[0]',
    '[1]',
    '[0,0]',
    '[0,4]',
    '[4,0]',
    '[-0,4]',
    '[4]',
    '[1,2,3]',
    '[0,4294967296]',
    '[2,2]',
    '[0,4.0]',
  ],
  ...['{"dtype":"F32","shape":[],"data_offsets":[0,4]}', '{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'],
  ...['{"a":"b"}', '{"a":1}', '{"a":null}', '{"\\ud800":"x"}', '"__metadata__"', '[18446744073709551615,2]'],
];
const OFFSETS = /\[\s*(\d+)\s*,\s*(\d+)\s*\]/g;

/** A safetensors file in which the header, its length or the data are not what they were. */
export function mutateSafetensors(
  random: Random,
  bytes: Uint8Array,
  others: readonly Uint8Array[],
): Uint8Array {
  if (random.uniform() < 0.1) {
    return mutateBytes(random, bytes, others, WORDS);
  }
  const end = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (random.uniform() < 0.2) {
    return file(respell(random, textOf(bytes.subarray(8, end))), bytes.subarray(end));
  }
  let header: Uint8Array = bytes.slice(8, end);
  let data: Uint8Array = bytes.subarray(end);
  do {
    if (parsed(textOf(header)) === undefined) {
      break;
    }
    const part = random.integer(0, 4);
    if (part <= 2) {
      header = mutateJson(random, header, WORDS);
    } else if (part === 3) {
      header = bytesOf(moveOffsets(random, textOf(header)));
    } else {
      const more = joinBytes([data, new Uint8Array(4)]);
      data = random.pick([data.subarray(1), data.subarray(0, -1), joinBytes([data, data]), more]);
    }
  } while (random.uniform() < 0.3);
  if (random.uniform() < 0.5) {
    header = pad(random, header);
  }
  const off = random.pick([0n, 0n, 0n, 0n, 0n, 0n, 0n, 1n, -1n, 8n, 1n << 32n]);
  return file(header, data, off);
}

/** A file of these parts; its length prefix is `off` by so many bytes. */
function file(header: Uint8Array, data: Uint8Array, off = 0n): Uint8Array {
  const prefix = new Uint8Array(8);
  new DataView(prefix.buffer).setBigUint64(0, BigInt(header.length) + off, true);
  return joinBytes([prefix, header, data]);
}

/** The same tensors in another spelling, or with what a reader has to pass over: mostly still sound. */
function respell(random: Random, header: string): Uint8Array {
  const entries = Object.entries(JSON.parse(header) as Record<string, Record<string, unknown>>);
  entries.sort(() => random.pick([-1, 1]));
  const changed = entries.map(([name, entry]): [string, unknown] => {
    if (name === '__metadata__') {
      return [name, random.pick([entry, {}, null, { a: '', '': 'b', __proto__: 'c' }])];
    }
    if (random.uniform() > 0.2) {
      return [name, entry];
    }
    const { shape } = entry as { shape: number[] };
    const shapes = [[...shape, 1], [1, ...shape], [shape.reduce((a, b) => a * b, 1)]];
    const other = random.pick(shapes);
    return random.pick([
      [name, { ...entry, shape: other }],
      [name, { ...entry, note: random.pick([null, 1, { a: [] }]) }],
      [`${name}${random.pick(['', ' ', '\u202e', '😀', '\\', '\n'])}`, entry],
    ]);
  });
  if (random.uniform() < 0.2) {
    changed.push(['empty', { dtype: 'F32', shape: [0], data_offsets: [0, 0] }]);
  }
  const json = JSON.stringify(Object.fromEntries(changed), null, random.pick([0, 0, 1, '\t']));
  return bytesOf(random.uniform() < 0.3 ? json.replace(/a/g, '\\u0061') : json);
}

/** Another range for one of the tensors. */
function moveOffsets(random: Random, header: string): string {
  const ranges = [...header.matchAll(OFFSETS)];
  if (ranges.length === 0) {
    return header;
  }
  const range = random.pick(ranges);
  const [begin, end] = [Number(range[1]), Number(range[2])];
  const by = random.pick([1, 4, -4, 1000]);
  const moved = random.pick([
    [begin + by, end + by],
    [begin, end + by],
    [begin + by, end],
    [end, begin],
    [begin, begin],
    ...ranges.map((other) => [Number(other[1]), Number(other[2])]),
  ]);
  return `${header.slice(0, range.index)}[${moved.join(',')}]${header.slice(range.index + range[0].length)}`;
}

/** White space at the header's end, or what some would take for it. */
function pad(random: Random, header: Uint8Array): Uint8Array {
  const by = random.pick([' ', '    ', '\n', '\t', '\0', '\u000b', '\u00a0', 'x', '{}', ',']);
  return joinBytes([header, bytesOf(by)]);
}
