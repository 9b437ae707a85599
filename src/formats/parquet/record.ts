// Reference: Melnik et al., Dremel (PVLDB 2010), record assembly; Apache Parquet, LogicalTypes.md (lists and maps).
import type { SchemaTree } from 'hyparquet/src/types.js';
import { Malformed } from './thrift-bounds.ts';

/** One value of a column, or none, with its repetition and definition level. */
export interface Entry {
  rep: number;
  def: number;
  value: unknown;
}

/** The entries of one row in one column, read from the first to the last. */
class Cursor {
  readonly #entries: readonly Entry[];
  #at = 0;

  constructor(entries: readonly Entry[]) {
    this.#entries = entries;
  }

  get current(): Entry | undefined {
    return this.#entries[this.#at];
  }

  /** Throws Malformed. */
  next(): Entry {
    const entry = this.#entries[this.#at++];
    if (!entry) {
      throw new Malformed('a column has too few values');
    }
    return entry;
  }
}

/** An element of the schema, and the columns below it. */
interface Node {
  name: string;
  repetition: 'REQUIRED' | 'OPTIONAL' | 'REPEATED';
  /** A list's repeated group of one child is only there to repeat it. */
  kind: 'value' | 'struct' | 'list' | 'map' | 'repeater';
  children: Node[];
  columns: number[];
}

/** Puts the rows of a file together from their columns: structs and maps as Maps, lists as arrays. */
export class RecordAssembly {
  readonly #fields: Node[];
  #columns = 0;
  #cursors: Cursor[] = [];

  constructor(schema: SchemaTree) {
    this.#fields = schema.children.map((child) => this.#node(child));
  }

  /** The row of these entries, a list for each column. Throws Malformed where they do not fit together. */
  row(columns: readonly (readonly Entry[])[]): Map<string, unknown> {
    this.#cursors = columns.map((entries) => new Cursor(entries));
    const row = new Map(this.#fields.map((field) => [field.name, this.#read(field, 0, 0)]));
    if (this.#cursors.some(({ current }) => current !== undefined)) {
      throw new Malformed('a column has too many values');
    }
    return row;
  }

  #node({ element, children }: SchemaTree, inList = false): Node {
    const { name, repetition_type: repetition = 'REQUIRED' } = element;
    const converted = element.converted_type ?? element.logical_type?.type;
    const isList = converted === 'LIST' && children.length === 1;
    const isMap =
      (converted === 'MAP' || converted === 'MAP_KEY_VALUE') && children[0]?.children.length === 2;
    if (children.length === 0) {
      return { name, repetition, kind: 'value', children: [], columns: [this.#columns++] };
    }
    const isRepeater = inList && children.length === 1 && name !== 'array' && !name.endsWith('_tuple');
    const kind = isList ? 'list' : isMap ? 'map' : isRepeater ? 'repeater' : 'struct';
    const nodes = children.map((child) => this.#node(child, isList));
    return { name, repetition, kind, children: nodes, columns: nodes.flatMap(({ columns }) => columns) };
  }

  #read(node: Node, def: number, rep: number): unknown {
    const first = this.#cursors[node.columns[0]!]!;
    if (node.repetition === 'REQUIRED') {
      return this.#content(node, def, rep);
    }
    if ((first.current ?? first.next()).def <= def) {
      for (const column of node.columns) {
        this.#cursors[column]!.next();
      }
      return node.repetition === 'OPTIONAL' ? null : [];
    }
    if (node.repetition === 'OPTIONAL') {
      return this.#content(node, def + 1, rep);
    }
    const items: unknown[] = [];
    do {
      items.push(this.#content(node, def + 1, rep + 1));
    } while (first.current?.rep === rep + 1);
    return items;
  }

  #content(node: Node, def: number, rep: number): unknown {
    const { kind, children } = node;
    switch (kind) {
      case 'value':
        return this.#cursors[node.columns[0]!]!.next().value;
      case 'list':
      case 'repeater':
        return this.#read(children[0]!, def, rep);
      case 'map': {
        const pairs = this.#read(children[0]!, def, rep) as Map<string, unknown>[];
        return new Map(pairs.map((pair) => [...pair.values()] as [unknown, unknown]));
      }
      case 'struct':
        return new Map(children.map((child) => [child.name, this.#read(child, def, rep)]));
    }
  }
}
