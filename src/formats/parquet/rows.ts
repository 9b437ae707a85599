import { getTreePath } from 'hyparquet/src/schema.js';
import type { FileMetaData, SchemaTree } from 'hyparquet/src/types.js';
import type { ByteSource } from '../byte-source.ts';
import { UnpackedBytes } from '../inflate.ts';
import { NumberText } from '../json.ts';
import { UserError } from '../user-error.ts';
import { ColumnReader } from './column.ts';
import { readFooter, schemaOf } from './footer.ts';
import { type Entry, RecordAssembly } from './record.ts';
import { Malformed } from './thrift-bounds.ts';

/** What a value counts for beside its text: many that are alike take no space in a file. */
const VALUE_BYTES = 8;

/** One row of a Parquet file. */
export interface ParquetRow {
  /** By column, in the file's order: texts, `NumberText`, booleans, null, arrays and Maps. */
  row: Map<string, unknown>;
  /** From 1. */
  number: number;
  /** Bytes of the file up to about its end. */
  bytesRead: number;
}

/**
 * The rows of a Parquet file, whose columns are read page by page, so that its size does not matter. Uses hyparquet for
 * the format, after checking what it would trust. Throws UserError.
 */
export async function* parquetRows(source: ByteSource): AsyncGenerator<ParquetRow> {
  const unpacked = new UnpackedBytes(source);
  const metadata = await sound(source, () => readFooter(source));
  const schema = schemaOf(metadata);
  for (const { columns, num_rows: rows } of metadata.row_groups) {
    for (const count of [rows, ...columns.map(({ meta_data: meta }) => meta?.num_values ?? 0n)]) {
      unpacked.add(VALUE_BYTES * Math.max(0, Number(count)));
    }
  }
  const assembly = new RecordAssembly(schema);
  const groups = metadata.row_groups.length;
  let number = 0;
  for (const [i, group] of metadata.row_groups.entries()) {
    const columns = await sound(source, async () => columnsOf(source, schema, group, unpacked));
    const rows = Number(group.num_rows);
    for (let left = rows; left > 0; left--) {
      const row = await sound(source, async () => {
        const entries: Entry[][] = [];
        for (const column of columns) {
          entries.push(await column.row());
        }
        return new Map([...assembly.row(entries)].map(([name, value]) => [name, plain(value, unpacked)]));
      });
      number++;
      const share = (i + (rows - left + 1) / rows) / groups;
      yield { row, number, bytesRead: Math.floor(share * source.size) };
    }
    await sound(source, async () => {
      for (const column of columns) {
        if ((await column.row()).length > 0) {
          throw new Malformed('a column has more rows than it says');
        }
      }
    });
  }
}

function columnsOf(
  source: ByteSource,
  schema: SchemaTree,
  group: FileMetaData['row_groups'][number],
  unpacked: UnpackedBytes,
): ColumnReader[] {
  const leaves = [...leavesOf(schema)];
  if (group.columns.length !== leaves.length) {
    throw new Malformed('a group of rows lacks columns');
  }
  return group.columns.map(({ meta_data: meta, file_path: elsewhere }, i) => {
    const leaf = leaves[i]!;
    if (!meta || elsewhere || meta.path_in_schema.join('\0') !== leaf.path.join('\0')) {
      throw new Malformed('a column is encrypted, in another file, or not the one of its schema');
    }
    return new ColumnReader(source, getTreePath(schema, leaf.path), meta, unpacked);
  });
}

function* leavesOf(node: SchemaTree): Generator<SchemaTree> {
  if (node.children.length === 0) {
    yield node;
  }
  for (const child of node.children) {
    yield* leavesOf(child);
  }
}

/** Does the work; what goes wrong in it with this file is a UserError. */
async function sound<T>(source: ByteSource, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // hyparquet throws Error, and where it reads past an end, RangeError or TypeError.
    if (error instanceof UserError || !(error instanceof Error) || error.name === 'AbortError') {
      throw error;
    }
    const why = error instanceof Malformed ? error.message : 'it is damaged';
    throw new UserError(
      `${source.name}: not a sound Parquet file: ${why}; copy it again, or write it again.`,
    );
  }
}

/** The value as a row's: numbers as text, so that ids keep all their digits. */
function plain(value: unknown, unpacked: UnpackedBytes): unknown {
  switch (typeof value) {
    case 'string':
      unpacked.add(value.length);
      return value;
    case 'bigint':
      return new NumberText(String(value));
    case 'number':
      return Number.isFinite(value) ? new NumberText(String(value)) : null;
    case 'boolean':
      return value;
    default:
  }
  if (value === null || value === undefined) {
    return null;
  }
  if (value instanceof NumberText) {
    return value;
  }
  if (Array.isArray(value)) {
    return value.map((item) => plain(item, unpacked));
  }
  if (value instanceof Map) {
    return new Map([...value].map(([key, item]) => [String(key), plain(item, unpacked)]));
  }
  // Bytes that are no text.
  return new Map();
}
