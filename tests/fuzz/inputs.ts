import { Random } from '../support/random.ts';
import { cutsOf } from './cuts.ts';
import type { Files, Format } from './format.ts';
import { FORMATS } from './formats/index.ts';

/** A list of inputs: `format/mutants`, endless, or `format/cuts`. */
export interface Inputs {
  readonly format: Format;
  /** Infinity for mutants. */
  readonly length: number;
  at(index: number): Files;
}

const opened = new Map<string, Promise<Inputs>>();

/** The list of that name; its parts are prepared once. */
export function openInputs(name: string): Promise<Inputs> {
  const known = opened.get(name) ?? prepare(name);
  opened.set(name, known);
  return known;
}

async function prepare(name: string): Promise<Inputs> {
  const [formatName, kind] = name.split('/');
  const format = FORMATS.find((one) => one.name === formatName);
  if (!format) {
    throw new Error(
      `there is no format ${formatName}, expected one of ${FORMATS.map((one) => one.name).join(', ')}`,
    );
  }
  if (kind === 'cuts') {
    return { format, ...(await cutsOf(format)) };
  }
  const seeds = await format.seeds();
  return {
    format,
    length: Infinity,
    at(index) {
      const random = new Random(hash(`${formatName} ${index}`));
      return format.mutate(random, random.pick(seeds), seeds);
    },
  };
}

/** FNV-1a, so that nearby seeds are unrelated. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const char of text) {
    value = Math.imul(value ^ char.charCodeAt(0), 0x01000193);
  }
  return value >>> 0;
}
