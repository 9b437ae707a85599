const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** A byte count for people: "512 bytes", "1.4 MiB". */
export function showBytes(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const value = bytes / 2 ** (10 * power);
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[power]!}`;
}

/** Bytes per unit, by its name in lower case. */
const WRITTEN: Readonly<Record<string, number>> = {
  mb: 1e6,
  gb: 1e9,
  mib: 2 ** 20,
  gib: 2 ** 30,
};

/** The expected form of an amount of memory, for messages. */
export const MEMORY_FORM = 'an amount of memory in MB, GB, MiB or GiB, such as 4GB or 3500MiB';

/** Parses an amount of memory as people write it, "4GB", "3500 MiB", into bytes; undefined for anything else. */
export function readMemory(text: string): number | undefined {
  const [, amount, unit] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$/i.exec(text) ?? [];
  const bytes = Math.floor(Number(amount) * (WRITTEN[unit?.toLowerCase() ?? ''] ?? NaN));
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined;
}

/** A duration in seconds for people: "8 s", "3 min 05 s", "2 h 07 min". */
export function showSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) {
    return '–';
  }
  const whole = Math.max(0, Math.round(seconds));
  const two = (n: number) => String(n).padStart(2, '0');
  if (whole < 60) {
    return `${whole} s`;
  }
  if (whole < 3600) {
    return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  }
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
}

/** An integer with thousands separators: "12,345". */
export const showCount = (count: number): string => count.toLocaleString('en-US');

/** A large number in words: "1.54 billion", "494 million". */
export function showLarge(count: number): string {
  if (count >= 1e9) {
    return `${(count / 1e9).toFixed(2)} billion`;
  }
  if (count >= 1e6) {
    return `${(count / 1e6).toFixed(count < 1e7 ? 1 : 0)} million`;
  }
  return showCount(count);
}

/** "1 row", "2 rows". */
export const counted = (count: number, noun: string): string =>
  `${showCount(count)} ${noun}${count === 1 ? '' : 's'}`;

/** A percentage: "34%"; never 100% before the end. */
export const showShare = (done: number, total: number): string =>
  `${total > 0 ? Math.floor((100 * done) / total) : 0}%`;

/** A learning rate: "5.00e-5". */
export const showRate = (rate: number): string => rate.toExponential(2);

/** A loss or norm, with the digits that matter on a plot. */
export const showNumber = (value: number): string =>
  value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(2) : value.toFixed(4);

/** "7.5 tokens/s", "1,234 tokens/s". */
export const showSpeed = (rate: number): string =>
  `${rate < 10 ? rate.toFixed(1) : showCount(Math.round(rate))} tokens/s`;
