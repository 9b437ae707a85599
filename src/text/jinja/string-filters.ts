// References: Jinja2, src/jinja2/filters.py; transformers, src/transformers/utils/chat_template_utils.py (tojson).
import { asCount, asStr, bind } from './arguments.ts';
import { raised } from './faults.ts';
import { type Filter, type FilterContext, softStr, spaces } from './filter-support.ts';
import { escaped } from './operators.ts';
import { percentFormat } from './percent-format.ts';
import { toJson, toStr } from './show.ts';
import { SPACE, Str } from './str.ts';
import { capitalize, lower, pad, replace, splitLines, strip, upper } from './str-methods.ts';
import { Dict, fail, str, truth, Tuple, Undefined, type Value } from './values.ts';

/** Filters of texts, and those that turn values into text. */
export const STRING_FILTERS: Readonly<Record<string, Filter>> = {
  capitalize: (value, _, { meter }) => capitalize(softStr(value, meter)),
  center(value, args, { meter }) {
    const [width] = bind('center', args, ['width']);
    const text = softStr(value, meter);
    return pad(text, 'center', width === undefined ? 80 : asCount(width, 'width'), str(' '), meter);
  },
  escape: (value, _, { meter }) => escaped(softStr(value, meter)).markedSafe,
  forceescape: (value, _, { meter }) => escaped(toStr(value, meter)).markedSafe,
  format(value, args, { meter }) {
    if (args.named.size > 0) {
      if (args.positional.length > 0) {
        fail("can't handle positional and keyword arguments at the same time");
      }
      const named = new Dict([...args.named].map(([name, of]) => [str(name), of] as const));
      return percentFormat(softStr(value, meter), named, meter);
    }
    return percentFormat(softStr(value, meter), new Tuple(args.positional), meter);
  },
  indent(value, args, { meter }) {
    const [width, first, blank] = bind('indent', args, ['width', 'first', 'blank']);
    const by =
      width instanceof Str ? width : spaces(width === undefined ? 4 : asCount(width, 'width'), meter);
    const lines = splitLines(asStr(value, 'the indented value').plus(str('\n')), false, meter);
    meter.write(asStr(value, 'the indented value').length + lines.length * by.length);
    const isIndented = (line: Str, i: number): boolean =>
      i === 0 ? truth(first ?? false) : line.length > 0 || truth(blank ?? false);
    return Str.join(
      lines.map((line, i) => (isIndented(line, i) ? by.plus(line) : line)),
      str('\n'),
    );
  },
  lower: (value, _, { meter }) => lower(softStr(value, meter)),
  replace(value, args, { meter }) {
    const [old, put, count] = bind('replace', args, ['old', 'new', 'count'], 2);
    const most = count === undefined || count === null ? -1 : asCount(count, 'count');
    return replace(toStr(value, meter), toStr(old!, meter), toStr(put!, meter), most, meter);
  },
  safe: (value, _, { meter }) => toStr(value, meter).markedSafe,
  string: (value, _, { meter }) => softStr(value, meter),
  title(value, _, { meter }) {
    const text = softStr(value, meter);
    meter.eachOf(text.length);
    // A word begins after a space, hyphen or opening bracket.
    const words = [...text.text.matchAll(WORD)].map(({ 0: word, index }) => {
      const first = index + String.fromCodePoint(word.codePointAt(0)!).length;
      return upper(text.slice(index, first)).plus(lower(text.slice(first, index + word.length)));
    });
    return Str.join(words);
  },
  tojson(value, args, { meter }) {
    const [ascii, indent, separators, sortKeys] = bind('tojson', args, [
      'ensure_ascii',
      'indent',
      'separators',
      'sort_keys',
    ]);
    const options = {
      ensureAscii: truth(ascii ?? false),
      indent: indentOf(indent, meter),
      separators: separatorsOf(separators, indent === undefined || indent === null),
      sortKeys: truth(sortKeys ?? false),
    };
    return toJson(value, options, meter);
  },
  trim(value, args, { meter }) {
    const [chars] = bind('trim', args, ['chars']);
    const dropped = chars === undefined || chars === null ? undefined : asStr(chars, 'chars');
    return strip(softStr(value, meter), dropped, meter, true, true);
  },
  truncate(value, args, { meter }) {
    const [length, killwords, end, leeway] = bind('truncate', args, ['length', 'killwords', 'end', 'leeway']);
    if (value instanceof Undefined) {
      return value;
    }
    const text = asStr(value, 'the truncated value');
    const most = length === undefined ? 255 : asCount(length, 'length');
    const ending = end === undefined ? str('...') : asStr(end, 'end');
    const more = leeway === undefined || leeway === null ? 5 : asCount(leeway, 'leeway');
    if (most < ending.lengthInPoints || more < 0) {
      fail('truncate needs a length of at least its end, and a leeway');
    }
    if (text.lengthInPoints <= most + more) {
      return text;
    }
    const kept = text.slice(0, text.unitOf(most - ending.lengthInPoints));
    const space = kept.text.lastIndexOf(' ');
    const cut = truth(killwords ?? false) || space < 0 ? kept : kept.slice(0, space);
    meter.write(cut.length + ending.length);
    return cut.plus(ending);
  },
  upper: (value, _, { meter }) => upper(softStr(value, meter)),
  wordcount(value, _, { meter }) {
    const text = softStr(value, meter);
    meter.read(text.length * 8);
    return BigInt(text.text.match(/[\p{L}\p{N}_]+/gu)?.length ?? 0);
  },
};

/** Words and the text between them. */
const WORD = new RegExp(`[-({[<${SPACE}]+|[^-({[<${SPACE}]+`, 'gu');

function indentOf(indent: Value | undefined, meter: FilterContext['meter']): string | undefined {
  if (indent === undefined || indent === null) {
    return undefined;
  }
  return indent instanceof Str ? indent.text : spaces(asCount(indent, 'indent'), meter).text;
}

function separatorsOf(separators: Value | undefined, oneLine: boolean): readonly [Str, Str] {
  if (separators === undefined || separators === null) {
    return [str(oneLine ? ', ' : ','), str(': ')];
  }
  const items = separators instanceof Tuple ? separators.items : separators;
  if (!Array.isArray(items) || items.length !== 2) {
    throw raised('separators must be two texts');
  }
  return [asStr(items[0] as Value, 'the item separator'), asStr(items[1] as Value, 'the key separator')];
}
