// Reference: Apache Thrift, doc/specs/thrift-compact-protocol.md.
import { encodeUtf8 } from '../utf8.ts';

/** A value of a struct's field; `undefined` leaves the field out. */
export type ThriftValue =
  | { readonly i32: number }
  | { readonly i64: number }
  | { readonly text: string }
  | { readonly struct: ThriftStruct }
  | { readonly list: readonly ThriftValue[] };
/** Values by field id. */
export type ThriftStruct = Readonly<Record<number, ThriftValue | undefined>>;

const TYPE = { i32: 5, i64: 6, text: 8, list: 9, struct: 12 } as const;
type Kind = keyof typeof TYPE;

const kindOf = (value: ThriftValue): Kind => Object.keys(value)[0] as Kind;

/** A struct in Thrift's compact protocol, appended to `bytes`. Numbers are non-negative. */
export function writeStruct(struct: ThriftStruct, bytes: number[] = []): number[] {
  let last = 0;
  // Integer keys come in ascending order.
  for (const [key, value] of Object.entries(struct)) {
    if (value === undefined) {
      continue;
    }
    const id = Number(key);
    const type = TYPE[kindOf(value)];
    const step = id - last;
    bytes.push(...(step <= 15 ? [(step << 4) | type] : [type, ...zigzag(id)]));
    writeValue(value, bytes);
    last = id;
  }
  bytes.push(0);
  return bytes;
}

function writeValue(value: ThriftValue, bytes: number[]): void {
  if ('i32' in value) {
    bytes.push(...zigzag(value.i32));
  } else if ('i64' in value) {
    bytes.push(...zigzag(value.i64));
  } else if ('text' in value) {
    const text = encodeUtf8(value.text);
    bytes.push(...unsignedVarint(text.length), ...text);
  } else if ('struct' in value) {
    writeStruct(value.struct, bytes);
  } else {
    const { list } = value;
    const type = list[0] ? TYPE[kindOf(list[0])] : TYPE.i32;
    bytes.push(
      ...(list.length < 15 ? [(list.length << 4) | type] : [0xf0 | type, ...unsignedVarint(list.length)]),
    );
    for (const item of list) {
      writeValue(item, bytes);
    }
  }
}

const zigzag = (n: number): number[] => unsignedVarint(2 * n);

/** The bytes of a non-negative safe integer, seven bits each. */
export function unsignedVarint(n: number): number[] {
  const bytes: number[] = [];
  for (; n > 0x7f; n = Math.floor(n / 128)) {
    bytes.push((n % 128) | 0x80);
  }
  return [...bytes, n];
}
