// References: Apache Parquet, README.md (pages, levels) and Encodings.md.
import { parquetHeader } from 'hyparquet/src/column.js';
import { convert, convertWithDictionary, DEFAULT_PARSERS } from 'hyparquet/src/convert.js';
import { readDataPage } from 'hyparquet/src/datapage.js';
import { deltaBinaryUnpack } from 'hyparquet/src/delta.js';
import { readRleBitPackedHybrid } from 'hyparquet/src/encoding.js';
import { readPlain } from 'hyparquet/src/plain.js';
import { getMaxDefinitionLevel, getMaxRepetitionLevel } from 'hyparquet/src/schema.js';
import type {
  ColumnDecoder,
  ColumnMetaData,
  DataPageHeader,
  DecodedArray,
  Encoding,
  PageHeader,
  ParquetParsers,
  SchemaTree,
} from 'hyparquet/src/types.js';
import type { ByteSource } from '../byte-source.ts';
import type { UnpackedBytes } from '../inflate.ts';
import { NumberText, PythonFloat } from '../json.ts';
import { quote } from '../quote.ts';
import { UserError } from '../user-error.ts';
import { decodeUtf8 } from '../utf8.ts';
import { showBytes } from '../words.ts';
import { checkRuns, endOfDeltas } from './encoding-bounds.ts';
import type { Entry } from './record.ts';
import { endOfStruct, Incomplete, Malformed } from './thrift-bounds.ts';
import { unpackerOf } from './unpack-page.ts';

/** A page, unpacked; writers make pages of 1 MB, or of one value if that is larger. */
const MAX_PAGE = 128 * 2 ** 20;
const MAX_PAGE_VALUES = 2 ** 24;
/** Bytes read for a page's header at first, and at most. */
const HEADER_BYTES = 4096;
const MAX_HEADER = 2 ** 20;

/** A data page: levels and values by position. */
interface Page {
  reps: ArrayLike<number>;
  defs: ArrayLike<number>;
  values: ArrayLike<unknown>;
  count: number;
}

/** One column of one row group, page by page. */
export class ColumnReader {
  readonly #source: ByteSource;
  readonly #path: SchemaTree[];
  readonly #decoder: ColumnDecoder;
  readonly #unpacked: UnpackedBytes;
  readonly #unpackPage: ReturnType<typeof unpackerOf>;
  readonly #maxDef: number;
  readonly #maxRep: number;
  readonly #end: number;
  readonly #isFloat: boolean;
  #at: number;
  #valuesLeft: number;
  #dictionary: DecodedArray | undefined;
  #page: Page | undefined;
  #next = 0;
  #nextValue = 0;

  /** Throws Malformed, or UserError for what is not read. */
  constructor(source: ByteSource, path: SchemaTree[], meta: ColumnMetaData, unpacked: UnpackedBytes) {
    const { element } = path.at(-1)!;
    this.#source = source;
    this.#path = path;
    this.#unpacked = unpacked;
    this.#maxDef = getMaxDefinitionLevel(path);
    this.#maxRep = getMaxRepetitionLevel(path);
    this.#at = Number(meta.dictionary_page_offset || meta.data_page_offset);
    this.#end = this.#at + Number(meta.total_compressed_size);
    this.#valuesLeft = Number(meta.num_values);
    this.#isFloat = element.type === 'FLOAT' || element.type === 'DOUBLE';
    if (!(this.#at >= 4 && this.#at <= this.#end && this.#end <= source.size)) {
      throw new Malformed('a column lies outside of it');
    }
    this.#unpackPage = unpackerOf(meta.codec, source.name);
    this.#decoder = {
      pathInSchema: meta.path_in_schema,
      type: element.type!,
      element,
      schemaPath: path,
      // Pages are unpacked before hyparquet gets them.
      codec: 'UNCOMPRESSED',
      parsers: parsersFor(source.name, path),
    };
  }

  /** The entries of the next row. Throws Malformed or UserError. */
  async row(): Promise<Entry[]> {
    const entries: Entry[] = [];
    for (;;) {
      while (!this.#page || this.#next >= this.#page.count) {
        if (!(await this.#nextPage())) {
          return entries;
        }
      }
      const { reps, defs, values } = this.#page;
      const rep = reps.length > 0 ? reps[this.#next]! : 0;
      if (entries.length > 0 && rep === 0) {
        return entries;
      }
      const def = defs.length > 0 ? defs[this.#next]! : this.#maxDef;
      const value = def === this.#maxDef ? values[this.#nextValue++] : undefined;
      entries.push({ rep, def, value: this.#isFloat ? floatText(value) : value });
      this.#next++;
      if (this.#maxRep === 0) {
        return entries;
      }
    }
  }

  /** Whether there is a data page after this one; it is read then. */
  async #nextPage(): Promise<boolean> {
    while (this.#valuesLeft > 0) {
      const { header, begin } = await this.#header();
      const bytes = new Uint8Array(header.compressed_page_size);
      await this.#source.read(begin, bytes);
      this.#at = begin + bytes.length;
      if (header.type === 'DICTIONARY_PAGE') {
        await this.#readDictionary(header, bytes);
      } else if (header.type === 'DATA_PAGE' || header.type === 'DATA_PAGE_V2') {
        const page =
          header.type === 'DATA_PAGE' ? await this.#page1(header, bytes) : await this.#page2(header, bytes);
        [this.#page, this.#next, this.#nextValue] = [page, 0, 0];
        this.#valuesLeft -= page.count;
        return true;
      }
    }
    return false;
  }

  async #header(): Promise<{ header: PageHeader; begin: number }> {
    for (let size = HEADER_BYTES; ; size *= 8) {
      const bytes = new Uint8Array(Math.min(size, this.#end - this.#at));
      await this.#source.read(this.#at, bytes);
      try {
        const end = endOfStruct(bytes, 0);
        const header = parquetHeader({ view: new DataView(bytes.buffer), offset: 0 });
        const begin = this.#at + end;
        this.#check(header, begin);
        return { header, begin };
      } catch (error) {
        if (!(error instanceof Incomplete) || bytes.length < size || size >= MAX_HEADER) {
          throw error;
        }
      }
    }
  }

  #check(header: PageHeader, begin: number): void {
    const { compressed_page_size: packed, uncompressed_page_size: size } = header;
    const { num_values: values = 0 } =
      header.data_page_header ?? header.data_page_header_v2 ?? header.dictionary_page_header ?? {};
    if (!(packed >= 0 && begin + packed <= this.#end && size >= 0 && values >= 0)) {
      throw new Malformed('a page does not fit into its column');
    }
    if (size > MAX_PAGE || values > MAX_PAGE_VALUES) {
      throw new Malformed(
        `a page takes ${showBytes(size)} for ${values} values, more than ${showBytes(MAX_PAGE)} or ${MAX_PAGE_VALUES} values`,
      );
    }
    if (header.type !== 'DICTIONARY_PAGE' && values > this.#valuesLeft) {
      throw new Malformed('a column has too many values');
    }
    this.#unpacked.add(size);
  }

  async #readDictionary(header: PageHeader, packed: Uint8Array<ArrayBuffer>): Promise<void> {
    const { dictionary_page_header: dictionary, uncompressed_page_size: size } = header;
    if (!dictionary || this.#dictionary) {
      throw new Malformed('a column has two dictionaries');
    }
    const page = await this.#unpackPage(packed, size, this.#source.name);
    const { type, element } = this.#decoder;
    const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
    const plain = readPlain({ view, offset: 0 }, type, dictionary.num_values, element.type_length);
    this.#dictionary = convert(plain, this.#decoder);
  }

  async #page1(header: PageHeader, packed: Uint8Array<ArrayBuffer>): Promise<Page> {
    const about = header.data_page_header;
    if (!about) {
      throw new Malformed('a page has no header');
    }
    const page = await this.#unpackPage(packed, header.uncompressed_page_size, this.#source.name);
    const view = new DataView(page.buffer);
    let at = 0;
    const levels = (most: number): number[] => {
      if (most === 0) {
        return [];
      }
      const begin = at + 4;
      at = begin + view.getUint32(at, true);
      return levelsIn(page, begin, at, most, about.num_values);
    };
    const reps = levels(this.#maxRep);
    const defs = levels(this.#maxDef);
    return this.#pageOf(reps, defs, page.slice(at), about.encoding, about.num_values);
  }

  async #page2(header: PageHeader, packed: Uint8Array<ArrayBuffer>): Promise<Page> {
    const about = header.data_page_header_v2;
    if (!about) {
      throw new Malformed('a page has no header');
    }
    const { num_values: count, encoding } = about;
    const reps = about.repetition_levels_byte_length;
    const levels = reps + about.definition_levels_byte_length;
    const size = header.uncompressed_page_size - levels;
    if (!(reps >= 0 && levels >= reps && levels <= packed.length && size >= 0)) {
      throw new Malformed('a page does not fit into its column');
    }
    const rest = packed.slice(levels);
    const body =
      about.is_compressed === false || size === 0
        ? rest
        : await this.#unpackPage(rest, size, this.#source.name);
    return this.#pageOf(
      this.#maxRep > 0 ? levelsIn(packed, 0, reps, this.#maxRep, count) : [],
      this.#maxDef > 0 ? levelsIn(packed, reps, levels, this.#maxDef, count) : [],
      body,
      encoding,
      count,
    );
  }

  #pageOf(
    reps: number[],
    defs: number[],
    body: Uint8Array<ArrayBuffer>,
    encoding: Encoding,
    count: number,
  ): Page {
    const present = defs.length > 0 ? defs.filter((def) => def === this.#maxDef).length : count;
    this.#checkBody(body, encoding, present);
    // Levels are read: what is left is a page without any.
    const flat = { ...this.#decoder, schemaPath: this.#path.slice(0, 1) };
    const about = { num_values: present, encoding } as DataPageHeader;
    const { dataPage } = readDataPage(body, about, flat);
    const values = convertWithDictionary(dataPage, this.#dictionary, encoding, this.#decoder);
    if (values.length < present || (isDictionary(encoding) && Array.from(values).includes(undefined))) {
      throw new Malformed('a page has too few values');
    }
    return { reps, defs, values, count };
  }

  /** Bounds what hyparquet makes of a page's values. Throws Malformed, or UserError for an encoding that is not read. */
  #checkBody(body: Uint8Array, encoding: Encoding, count: number): void {
    const { type, element } = this.#decoder;
    if (isDictionary(encoding)) {
      if (!this.#dictionary) {
        throw new Malformed('a column has no dictionary');
      }
      const width = body[0] ?? 0;
      if (width > 0) {
        checkRuns(body, 1, body.length, width, count);
      }
    } else if (encoding === 'RLE' && type === 'BOOLEAN') {
      checkRuns(body, 4, body.length, 1, count);
    } else if (encoding === 'BYTE_STREAM_SPLIT') {
      if (count * (element.type_length ?? 4) > body.length) {
        throw new Malformed('a page has too few values');
      }
    } else if (encoding.startsWith('DELTA_')) {
      if (encoding === 'DELTA_BINARY_PACKED' ? type !== 'INT32' && type !== 'INT64' : type !== 'BYTE_ARRAY') {
        throw new Malformed('a page is encoded as what it is not');
      }
      const end = count > 0 ? endOfDeltas(body, 0, count) : 0;
      if (encoding === 'DELTA_BYTE_ARRAY' && count > 0) {
        endOfDeltas(body, end, count);
        checkPrefixes(body, count);
      }
    } else if (encoding !== 'PLAIN') {
      throw new UserError(
        `${this.#source.name}: a column has the encoding ${encoding}, which is not read; write it without, as pandas and pyarrow do by default.`,
      );
    }
  }
}

const isDictionary = (encoding: Encoding): boolean =>
  encoding === 'PLAIN_DICTIONARY' || encoding === 'RLE_DICTIONARY';

/** Levels up to `most`, of `count` values. Throws Malformed. */
function levelsIn(page: Uint8Array, begin: number, end: number, most: number, count: number): number[] {
  const width = 32 - Math.clz32(most);
  if (end > page.length) {
    throw new Malformed('it ends too early');
  }
  checkRuns(page, begin, end, width, count);
  const levels = new Array<number>(count);
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  readRleBitPackedHybrid({ view, offset: begin }, width, levels, end - begin);
  levels.length = count;
  return levels;
}

/** Checks that texts that repeat the beginning of the one before do not grow without bound. Throws Malformed. */
function checkPrefixes(body: Uint8Array, count: number): void {
  const reader = { view: new DataView(body.buffer, body.byteOffset, body.byteLength), offset: 0 };
  const [prefixes, suffixes] = [new Int32Array(count), new Int32Array(count)];
  deltaBinaryUnpack(reader, count, prefixes);
  deltaBinaryUnpack(reader, count, suffixes);
  let before = 0;
  let total = 0;
  for (const [i, prefix] of prefixes.entries()) {
    const suffix = suffixes[i]!;
    if (prefix < 0 || suffix < 0 || prefix > before || total > MAX_PAGE) {
      throw new Malformed('its texts are too long');
    }
    before = prefix + suffix;
    total += before;
  }
}

/** A float as Python prints it: with a fraction, also where it is whole. */
const floatText = (value: unknown): unknown =>
  typeof value !== 'number'
    ? value
    : Number.isFinite(value)
      ? new NumberText(String(new PythonFloat(value)))
      : null;

/** Texts strictly in UTF-8; times as texts; what is neither text nor number as an object, which no row has a use for. */
function parsersFor(file: string, path: SchemaTree[]): ParquetParsers {
  const { element } = path.at(-1)!;
  const column = path
    .slice(1)
    .map(({ element: { name } }) => name)
    .join('.');
  const isText = element.converted_type === 'UTF8' || element.logical_type?.type === 'STRING';
  const text = (bytes: Uint8Array | undefined): unknown => {
    const read = bytes && decodeUtf8(bytes);
    if (bytes && read === undefined && isText) {
      throw new UserError(
        `${file}: the column ${quote(column)} holds a text that is not valid UTF-8; write the file again from its source.`,
      );
    }
    return read ?? bytes;
  };
  const moment = (millis: number): unknown => {
    const date = new Date(millis);
    return Number.isNaN(date.getTime()) ? String(millis) : date.toISOString();
  };
  const nothing = () => null;
  return {
    ...DEFAULT_PARSERS,
    stringFromBytes: text,
    jsonFromBytes: text,
    timestampFromMilliseconds: (millis) => moment(Number(millis)),
    timestampFromMicroseconds: (micros) => moment(Number(micros) / 1e3),
    timestampFromNanoseconds: (nanos) => moment(Number(nanos) / 1e6),
    dateFromDays: (days) => moment(days * 86_400_000),
    geometryFromBytes: nothing,
    geographyFromBytes: nothing,
  } as ParquetParsers;
}
