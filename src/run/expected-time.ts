/** What WebGPU tells of a GPU: browsers name its vendor and architecture, Node its name too. */
export interface GpuKind {
  name: string;
  software: boolean;
  vendor: string;
  architecture: string;
}

/** The range of a time that was not measured, in seconds. */
export interface ExpectedTime {
  least: number;
  most: number;
  /** By which cards: "RTX 4060" or "nvidia lovelace". */
  cards: string;
}

/**
 * TFLOPS in f32 as published, of the slowest and the fastest GPU of an architecture by WebGPU's names for it, mobile
 * ones included; of single cards the figure twice.
 */
const PUBLISHED: readonly (readonly [RegExp, slowest: number, fastest: number])[] = [
  [/RTX 4060(?! (Ti|Laptop))/, 15.1, 15.1],
  [/RTX 4090(?! (D|Laptop))/, 82.6, 82.6],
  [/RX 7600(?! XT)/, 21.8, 21.8],
  [/RX 7900 XTX/, 61.4, 61.4],
  [/RX 9070 XT/, 48.7, 48.7],
  [/\bH200\b/, 67, 67],
  [/^nvidia blackwell$/, 9, 105],
  [/^nvidia hopper$/, 51, 67],
  [/^nvidia lovelace$/, 9, 82.6],
  [/^nvidia ampere$/, 4.3, 40],
  [/^nvidia turing$/, 2.5, 16.3],
  [/^nvidia pascal$/, 1, 12],
  [/^amd rdna-4$/, 21, 48.7],
  [/^amd rdna-3$/, 4, 61.4],
  [/^amd rdna-2$/, 1.6, 23.7],
  [/^amd rdna-1$/, 4.2, 9.8],
  [/^intel xe-2hpg$/, 11.5, 13.7],
  [/^intel xe-2lpg$/, 2.9, 4.1],
  [/^intel (xe-hpg|gen-12hp)$/, 3.1, 19.7],
  [/^intel xe-lpg$/, 2, 4.6],
  [/^intel (gen-12lp|gen-11|gen-9|xe)$/, 0.4, 2.2],
  [/^apple /, 2.6, 28],
  [/^qualcomm /, 1, 4.6],
];

/** The share of that which training takes: by forecast two thirds where all goes well; a fifth where little does. */
const SHARE = { least: 0.2, most: 0.67 };

/**
 * Operations for a token and parameter: two forward, two for the gradients, one for attention and what is computed
 * again. Counted: 4.6 to 5.6 with 0.5 to 3 billion parameters and 1024 to 2048 tokens.
 */
const OPERATIONS = 5;

/**
 * How long training on so many tokens takes by what is published of cards of this kind; undefined for a device that
 * computes on the CPU, and for kinds that are not known.
 */
export function expectedTime(gpu: GpuKind, parameters: number, tokens: number): ExpectedTime | undefined {
  if (gpu.software) {
    return undefined;
  }
  const kind = `${gpu.vendor} ${gpu.architecture}`;
  const found = PUBLISHED.find(([names]) => names.test(gpu.name) || names.test(kind));
  if (!found) {
    return undefined;
  }
  const [names, slowest, fastest] = found;
  const operations = OPERATIONS * parameters * tokens;
  return {
    least: operations / (SHARE.most * fastest * 1e12),
    most: operations / (SHARE.least * slowest * 1e12),
    cards: names.exec(gpu.name)?.[0] ?? kind,
  };
}

const MINUTE = 60;
const HOUR = 3600;
/** Two digits at most: more would look measured. */
const round = (value: number): string =>
  value < 10 ? String(Math.max(1, Math.round(value))) : (Math.round(value / 5) * 5).toLocaleString('en-US');

/** "About 2–6 h: not measured; by what is published of cards of this kind (nvidia lovelace)." `of`: " for 1,000 rows". */
export function showExpected({ least, most, cards }: ExpectedTime, of = ''): string {
  const why = `${of}: not measured; by what is published of cards of this kind (${cards})`;
  if (most < 1.5 * MINUTE) {
    return `A minute or less${why}.`;
  }
  const [unit, name] = most < 1.5 * HOUR ? [MINUTE, 'min'] : [HOUR, 'h'];
  const [from, to] = [round(least / unit), round(most / unit)];
  return least < unit / 2
    ? `Up to ${to} ${name}${why}.`
    : `About ${from === to ? to : `${from}–${to}`} ${name}${why}.`;
}
