// References: Jinja2, src/jinja2/defaults.py and src/jinja2/sandbox.py (safe_range); transformers,
// src/transformers/utils/chat_template_utils.py.
import { asCount, asStr, bind, bindPlaces } from './arguments.ts';
import { raised, unsupported } from './faults.ts';
import type { Meter } from './meter.ts';
import { toStr } from './show.ts';
import { strftime } from './strftime.ts';
import {
  Callable,
  type CallArguments,
  Dict,
  iterateOrFail,
  listOf,
  Namespace,
  Range,
  str,
  Tuple,
  Undefined,
  type Value,
} from './values.ts';

/** Maximum length of a range in Jinja2's sandbox. */
const MAX_RANGE = 100_000;

/** Jinja2's other globals, including random text. */
const UNKNOWN = ['cycler', 'joiner', 'lipsum'];

/** The functions that every template can call. `now` is the time that strftime_now writes, by its UTC fields. */
export function globalsOf(now: Date, meter: Meter): Map<string, Value> {
  const functions: Record<string, (args: CallArguments) => Value> = {
    range: (args) => range(args),
    dict: (args) => dictOf(args, meter),
    namespace(args) {
      const namespace = new Namespace();
      for (const [name, value] of dictOf(args, meter).entries()) {
        namespace.set(asStr(name, 'a name').text, value);
      }
      return namespace;
    },
    raise_exception(args) {
      const [message] = bind('raise_exception()', args, ['message'], 1);
      throw raised(toStr(message!, meter).text.slice(0, 400));
    },
    strftime_now(args) {
      const [format] = bind('strftime_now()', args, ['format'], 1);
      return str(strftime(now, asStr(format, 'format').text));
    },
  };
  for (const name of UNKNOWN) {
    functions[name] = () => {
      throw unsupported(`the function ${name}`);
    };
  }
  return new Map(Object.entries(functions).map(([name, call]) => [name, new Callable(name, call)]));
}

function range(args: CallArguments): Range {
  const numbers = bindPlaces('range', args, 1, 3).map((value) => BigInt(whole(value)));
  const [begin, end, step = 1n] =
    numbers.length === 1 ? [0n, numbers[0]!] : (numbers as [bigint, bigint, bigint?]);
  if (step === 0n) {
    throw raised('range() arg 3 must not be zero');
  }
  const made = new Range(begin, end, step);
  if (made.length > MAX_RANGE) {
    throw raised(`Range too big. The sandbox blocks ranges larger than MAX_RANGE (${MAX_RANGE})`);
  }
  return made;
}

function whole(value: Value | undefined): number {
  const count = asCount(value, 'range');
  if (!Number.isFinite(count)) {
    throw raised('Python int too large to convert to C ssize_t');
  }
  return count;
}

/** dict(pairs or dict, name=value, …). */
function dictOf({ positional, named }: CallArguments, meter: Meter): Dict {
  if (positional.length > 1) {
    throw raised(`dict expected at most 1 argument, got ${positional.length}`);
  }
  const dict = new Dict();
  const [first] = positional;
  if (first instanceof Dict) {
    for (const [key, value] of first.entries()) {
      dict.set(key, value);
    }
  } else if (first instanceof Undefined) {
    first.fail();
  } else if (first !== undefined) {
    for (const pair of iterateOrFail(first)) {
      const items = pair instanceof Tuple ? pair.items : listOf(pair, meter);
      if (items.length !== 2) {
        throw raised('dictionary update sequence element must have length 2');
      }
      dict.set(items[0]!, items[1]!);
    }
  }
  for (const [name, value] of named) {
    dict.set(str(name), value);
  }
  meter.list(dict.size);
  return dict;
}
