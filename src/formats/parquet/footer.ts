// Reference: Apache Parquet, parquet-format/src/main/thrift/parquet.thrift (FileMetaData, SchemaElement).
import { parquetMetadata } from 'hyparquet/src/metadata.js';
import { getSchemaPath } from 'hyparquet/src/schema.js';
import type { FileMetaData, SchemaTree } from 'hyparquet/src/types.js';
import type { ByteSource } from '../byte-source.ts';
import { showBytes } from '../words.ts';
import { endOfStruct, Malformed } from './thrift-bounds.ts';

const MAGIC = [0x50, 0x41, 0x52, 0x31];
/** The metadata's length and the mark behind it. */
const TAIL_BYTES = 8;
/** A thousand row groups of thirty columns. */
const MAX_FOOTER = 16 * 2 ** 20;
const MAX_COLUMNS = 1000;
const MAX_DEPTH = 32;

/** Whether a file begins as Parquet does. */
export const isParquet = (start: Uint8Array): boolean => MAGIC.every((byte, i) => start[i] === byte);

/** What a Parquet file says of itself at its end. Throws Malformed. */
export async function readFooter(source: ByteSource): Promise<FileMetaData> {
  if (source.size < TAIL_BYTES + MAGIC.length) {
    throw new Malformed('it ends too early');
  }
  const tail = await bytesAt(source, source.size - TAIL_BYTES, source.size);
  if (!isParquet(tail.subarray(4))) {
    throw new Malformed('its end is missing, so it is cut off');
  }
  const length = new DataView(tail.buffer).getUint32(0, true);
  const begin = source.size - TAIL_BYTES - length;
  if (begin < MAGIC.length) {
    throw new Malformed('its end is damaged');
  }
  if (length > MAX_FOOTER) {
    throw new Malformed(
      `what it says of its rows takes ${showBytes(length)}, more than ${showBytes(MAX_FOOTER)}`,
    );
  }
  const footer = await bytesAt(source, begin, source.size);
  endOfStruct(footer.subarray(0, length), 0);
  const metadata = parquetMetadata(footer, { geoparquet: false });
  checkSchema(metadata.schema);
  return metadata;
}

async function bytesAt(source: ByteSource, begin: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(end - begin);
  await source.read(begin, bytes);
  return bytes;
}

/** Checks that the elements are one tree, each with the children that it claims. Throws Malformed. */
function checkSchema(schema: FileMetaData['schema']): void {
  if (schema.length > 2 * MAX_COLUMNS) {
    throw new Malformed(`it has ${schema.length} columns, more than ${MAX_COLUMNS}`);
  }
  /** Children that are still missing, of each element that encloses the next one. */
  const open = [1];
  for (const { num_children: children = 0, name, type } of schema) {
    while (open.at(-1) === 0) {
      open.pop();
    }
    if (open.length === 0 || open.length > MAX_DEPTH || children < 0 || typeof name !== 'string') {
      throw new Malformed('its schema is damaged');
    }
    open[open.length - 1]! -= 1;
    if (children > 0) {
      open.push(children);
    } else if (type === undefined) {
      throw new Malformed('its schema is damaged');
    }
  }
  if (open.some((missing) => missing > 0)) {
    throw new Malformed('its schema is damaged');
  }
}

export const schemaOf = ({ schema }: FileMetaData): SchemaTree => getSchemaPath(schema, [])[0]!;
