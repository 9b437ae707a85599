import { describe, expect, test } from 'vitest';
import { bf16ToF32, f16ToF32 } from '../../../src/formats/half.ts';
import { openSafetensors, readTensor, readTensorF32 } from '../../../src/formats/safetensors.ts';
import { type TensorData, writeSafetensors } from '../../../src/formats/safetensors-write.ts';
import { fixtureBytes, joinBytes, source } from '../../support/memory-folder.ts';
import { Random } from '../../support/random.ts';

/** A file of the given header text and `dataBytes` zero bytes. */
function file(header: string | Uint8Array, dataBytes: number, claimedLength?: bigint): Uint8Array {
  const json = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, claimedLength ?? BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

function open(bytes: Uint8Array, name = 'w.safetensors') {
  return openSafetensors(source(name, bytes));
}

const entry = (begin: number, end: number, shape = [end - begin], dtype = 'U8') =>
  JSON.stringify({ dtype, shape, data_offsets: [begin, end] });

/** A header with `levels` lists inside one another in an entry. */
const nested = (levels: number): string =>
  `{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":${'['.repeat(levels)}${']'.repeat(levels)}}}`;

describe('reading', () => {
  test('a file by Python: every dtype, empty and rank-0 tensors, odd names', async () => {
    const { tensors, metadata } = await open(fixtureBytes('formats/python.safetensors'));
    expect(metadata).toEqual({ format: 'pt' });
    expect(tensors.size).toBe(22);
    expect(tensors.get('a')).toMatchObject({ dtype: 'F32', shape: [2, 1] });
    expect([...(await readTensorF32(tensors.get('\u{1f600}')!))]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect([...(await readTensorF32(tensors.get('scalar')!))]).toEqual([2.5]);
    expect([...(await readTensorF32(tensors.get('bfloat16')!))]).toEqual([0, 1, 2]);
    expect([...(await readTensorF32(tensors.get('float16')!))]).toEqual([0, 1, 2]);
    expect(await readTensor(tensors.get('b')!)).toHaveLength(0);
    expect([...(await readTensor(tensors.get('uint16')!))]).toEqual([0, 0, 1, 0, 2, 0]);
    await expect(readTensorF32(tensors.get('int8')!)).rejects.toThrow(
      'w.safetensors: int8 is I8, expected F32, F16 or BF16; convert it to one of these.',
    );
  });

  test('f16 and bf16 as torch reads them', () => {
    const { bits, f16, bf16 } = JSON.parse(
      new TextDecoder().decode(fixtureBytes('formats/halves.json')),
    ) as Record<string, number[]>;
    const bytes = new Uint8Array(Uint16Array.from(bits!).buffer);
    expect([...f16ToF32(bytes)]).toEqual(f16);
    expect([...bf16ToF32(bytes)]).toEqual(bf16);
    expect([...f16ToF32(Uint8Array.of(0, 0x7c, 0, 0xfc, 1, 0x7c))]).toEqual([Infinity, -Infinity, NaN]);
  });

  test('legal oddities: no tensors, trailing spaces, a header of 640 bytes, which begins like a pickle', async () => {
    expect((await open(file('{}', 0))).tensors.size).toBe(0);
    expect((await open(file('{}      ', 0))).tensors.size).toBe(0);
    const bytes = file(`{"a":${entry(0, 1)}}`.padEnd(640), 1);
    expect([bytes[0], bytes[1]]).toEqual([0x80, 2]);
    expect((await open(bytes)).tensors.size).toBe(1);
    expect((await open(file(`{"__metadata__":null,"a":${entry(0, 1)}}`, 1))).metadata).toEqual({});
    expect((await open(file(nested(125), 0))).tensors.size).toBe(1);
    expect((await open(file(`{"a":${entry(0, 0, [2 ** 30, 2 ** 30, 0])}}`, 0))).tensors.size).toBe(1);
    const proto = await open(file(`{"__proto__":${entry(0, 1)}}`, 1));
    expect(proto.tensors.has('__proto__')).toBe(true);
  });
});

describe('refusals, each with its own message', () => {
  const latin1 = Uint8Array.from(`{"\xe9":${entry(0, 0)}}`, (char) => char.charCodeAt(0));
  const cases: [what: string, bytes: Uint8Array, sentence: string][] = [
    ['too short', new Uint8Array(7), 'not a safetensors file: 7 bytes cannot hold a header'],
    ['header over the limit', file('{}', 0, 100_000_001n), 'claims 100000001 bytes, more than the 100000000'],
    ['header past the end', file('{}', 0, 3n), 'claims 3 bytes, but only 2 follow; the file is cut short'],
    ['a huge header', file('{}', 0, 2n ** 64n - 1n), 'claims 18446744073709551615 bytes, more than'],
    ['an empty header', file('', 4), 'the header does not begin with "{"'],
    ['not an object', file('[]', 0), 'the header does not begin with "{"'],
    ['invalid UTF-8', file(latin1, 0), 'the safetensors header is not valid UTF-8'],
    [
      'half a surrogate pair in a name',
      file(`{"\\ud800":${entry(0, 1)}}`, 1),
      'the text "\\ud800" in the safetensors header holds half a surrogate pair',
    ],
    [
      'half a surrogate pair in a value that nobody reads',
      file('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":["\\udc00"]}}', 0),
      'the text "\\udc00" in the safetensors header holds half a surrogate pair',
    ],
    [
      'half a surrogate pair in the metadata',
      file('{"__metadata__":{"a":"x\\udc00"}}', 0),
      'the text "x\\udc00" in the safetensors header holds half a surrogate pair',
    ],
    [
      '-0 as an offset',
      file('{"a":{"dtype":"U8","shape":[1],"data_offsets":[-0,1]}}', 1),
      'a has -0 for a size or an offset, expected whole numbers',
    ],
    [
      '-0 as a size',
      file('{"a":{"dtype":"U8","shape":[-0],"data_offsets":[0,0]}}', 0),
      'a has -0 for a size or an offset, expected whole numbers',
    ],
    [
      'a number that f64 does not hold',
      file('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":1e999}}', 0),
      'not valid JSON at byte 65: a number is larger than a double holds',
    ],
    [
      'one level more than serde_json reads',
      file(nested(126), 0),
      'the safetensors header is nested more than 127 levels deep',
    ],
    [
      'an overflow that a size of 0 would hide',
      file(`{"a":${entry(0, 0, [2 ** 40, 2 ** 40, 0], 'F32')}}`, 0),
      'the size of a, [1099511627776, 1099511627776, 0], overflows',
    ],
    ['invalid JSON', file('{"a":}', 0), 'not valid JSON at byte 14: a value was expected'],
    ['text after the JSON', file('{} {}', 0), 'there is more text after its end'],
    ['deep nesting', file('{"a":'.padEnd(9000, '['), 0), 'it is nested too deeply'],
    ['duplicate keys', file(`{"a":${entry(0, 1)},"a":${entry(0, 1)}}`, 1), 'the key "a" occurs twice'],
    [
      'duplicate keys, one escaped',
      file(`{"a":${entry(0, 1)},"\\u0061":${entry(0, 1)}}`, 1),
      'the key "a" occurs twice',
    ],
    ['duplicate inner keys', file('{"a":{"dtype":"U8","dtype":"U8"}}', 0), 'the key "dtype" occurs twice'],
    ['metadata of numbers', file('{"__metadata__":{"a":1}}', 0), '__metadata__ of the safetensors header'],
    ['metadata list', file('{"__metadata__":[]}', 0), '__metadata__ of the safetensors header'],
    ['entry not an object', file('{"a":1}', 0), 'the header entry of a is not an object'],
    ['unknown dtype', file(`{"a":${entry(0, 1, [1], 'Q4')}}`, 1), 'a has the unknown dtype "Q4"'],
    ['inherited dtype', file(`{"a":${entry(0, 1, [1], 'toString')}}`, 1), 'unknown dtype "toString"'],
    ['fractional shape', file(`{"a":${entry(0, 1, [0.5])}}`, 1), 'a has the shape [0.5]'],
    ['negative shape', file(`{"a":${entry(0, 1, [-1, -1])}}`, 1), 'a has the shape [-1,-1]'],
    ['float shape', file('{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}', 1), 'a has the shape'],
    [
      'shape of text',
      file('{"a":{"dtype":"U8","shape":"1","data_offsets":[0,1]}}', 1),
      'a has the shape "1"',
    ],
    [
      'three offsets',
      file('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,1]}}', 1),
      'a has the data_offsets [0,1,1], expected [begin, end]',
    ],
    ['missing offsets', file('{"a":{"dtype":"U8","shape":[1]}}', 1), 'a has the data_offsets nothing'],
    ['end before begin', file(`{"a":${entry(1, 0, [1])}}`, 1), 'a ends at 0, before its begin at 1'],
    ['wrong size', file(`{"a":${entry(0, 4, [3])}}`, 4), 'a holds 4 bytes, but U8 [3] takes 3'],
    [
      'overflow',
      file(`{"a":${entry(0, 4, [2 ** 30, 2 ** 30, 2 ** 4], 'F32')}}`, 4),
      'the size of a, [1073741824, 1073741824, 16], overflows',
    ],
    ['half a byte', file(`{"a":${entry(0, 1, [1], 'F4')}}`, 1), 'a holds 1 bytes, but F4 [1] takes 0.5'],
    ['first gap', file(`{"a":${entry(1, 2)}}`, 2), 'there is a gap of 1 bytes before the data of a'],
    ['gap', file(`{"b":${entry(3, 4)},"a":${entry(0, 2)}}`, 4), 'a gap of 1 bytes before the data of b'],
    [
      'overlap',
      file(`{"b":${entry(1, 4)},"a":${entry(0, 2)}}`, 4),
      'the data of b overlaps the tensor before',
    ],
    ['cut short', file(`{"a":${entry(0, 9)}}`, 8), 'the tensors end at byte 70, but the file at 69'],
    ['trailing bytes', file(`{"a":${entry(0, 1)}}`, 3), '2 bytes follow the last tensor'],
  ];
  test.each(cases)('%s', async (_, bytes, sentence) => {
    const error = await open(bytes).then(
      () => undefined,
      (reason: unknown) => reason as Error,
    );
    expect(error?.name).toBe('UserError');
    expect(error!.message).toContain(sentence);
    expect(error!.message).toMatch(/^w\.safetensors: .*; download or export the file again\.$/);
  });

  test.each(['a.bin', 'a.PT', 'a.pth', 'a.ckpt', 'a.pkl'])('%s by its name', async (name) => {
    await expect(open(file('{}', 0), name)).rejects.toThrow(
      `${name}: this is a PyTorch pickle, and pickle files`,
    );
  });

  test.each([
    ['a zip archive', [0x50, 0x4b, 3, 4, 0, 0, 8, 8, 0, 0, 0]],
    ['a zip archive whose first bytes are a possible length', [0x50, 0x4b, 3, 4, 0, 0, 0, 0, 0, 0, 0]],
    ['a bare pickle', [0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0x7b]],
    ['a short pickle', [0x80, 4, 0x95, 0, 0, 0, 0, 0]],
  ])('%s by its magic', async (_, bytes) => {
    await expect(open(Uint8Array.from(bytes))).rejects.toThrow('pickle files are never opened');
  });
});

describe('writing', () => {
  test('is byte-equal to Python for the same tensors, in whatever order they come', async () => {
    const python = fixtureBytes('formats/python.safetensors');
    const { tensors, metadata } = await open(python);
    const data: TensorData[] = [];
    for (const info of tensors.values()) {
      data.push({ ...info, data: await readTensor(info) });
    }
    const random = new Random(1);
    const shuffled = data
      .map((tensor) => ({ tensor, key: random.uniform() }))
      .toSorted((a, b) => a.key - b.key)
      .map(({ tensor }) => tensor);
    expect(joinBytes(writeSafetensors(shuffled, metadata))).toEqual(python);
  });

  test('reads back, without metadata and with it', async () => {
    const bytes = new Uint8Array(new Random(2).normals(15).buffer);
    const tensors: TensorData[] = [{ name: 'x', dtype: 'F32', shape: [3, 5], data: bytes }];
    const plain = await open(joinBytes(writeSafetensors(tensors)));
    expect(plain.metadata).toEqual({});
    expect(await readTensor(plain.tensors.get('x')!)).toEqual(bytes);
    const labeled = await open(joinBytes(writeSafetensors(tensors, { step: '3', note: '"é"' })));
    expect(labeled.metadata).toEqual({ step: '3', note: '"é"' });
  });

  test('does not copy the data, and refuses sizes and names that the reader would', () => {
    const data = new Uint8Array(4);
    expect(writeSafetensors([{ name: 'x', dtype: 'F32', shape: [], data }])[1]).toBe(data);
    expect(() => writeSafetensors([{ name: 'x', dtype: 'F32', shape: [2], data }])).toThrow(RangeError);
    const twice: TensorData = { name: 'x', dtype: 'U8', shape: [4], data };
    expect(() => writeSafetensors([twice, twice])).toThrow('x is given twice');
  });
});
