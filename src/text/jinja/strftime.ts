// Reference: CPython, Modules/_datetimemodule.c, and the C library's strftime in the C locale.
import { unsupported } from './faults.ts';

const DAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');
const MONTHS = 'January February March April May June July August September October November December'.split(
  ' ',
);
const DAY_MS = 86_400_000;

const padded = (n: number, width = 2, fill = '0'): string => String(n).padStart(width, fill);

/** Directives of Python's strftime in the C locale. They read the UTC fields of a date. */
const DIRECTIVES: Readonly<Record<string, (t: Date) => string>> = {
  a: (t) => DAYS[t.getUTCDay()]!.slice(0, 3),
  A: (t) => DAYS[t.getUTCDay()]!,
  b: (t) => MONTHS[t.getUTCMonth()]!.slice(0, 3),
  B: (t) => MONTHS[t.getUTCMonth()]!,
  c: (t) => strftime(t, '%a %b %e %H:%M:%S %Y'),
  d: (t) => padded(t.getUTCDate()),
  D: (t) => strftime(t, '%m/%d/%y'),
  e: (t) => padded(t.getUTCDate(), 2, ' '),
  F: (t) => strftime(t, '%Y-%m-%d'),
  h: (t) => strftime(t, '%b'),
  H: (t) => padded(t.getUTCHours()),
  I: (t) => padded(t.getUTCHours() % 12 || 12),
  j: (t) => padded(dayOfYear(t) + 1, 3),
  m: (t) => padded(t.getUTCMonth() + 1),
  M: (t) => padded(t.getUTCMinutes()),
  n: () => '\n',
  p: (t) => (t.getUTCHours() < 12 ? 'AM' : 'PM'),
  R: (t) => strftime(t, '%H:%M'),
  S: (t) => padded(t.getUTCSeconds()),
  t: () => '\t',
  T: (t) => strftime(t, '%H:%M:%S'),
  u: (t) => String(t.getUTCDay() || 7),
  U: (t) => padded(Math.floor((dayOfYear(t) + 7 - t.getUTCDay()) / 7)),
  w: (t) => String(t.getUTCDay()),
  W: (t) => padded(Math.floor((dayOfYear(t) + 7 - ((t.getUTCDay() + 6) % 7)) / 7)),
  x: (t) => strftime(t, '%m/%d/%y'),
  X: (t) => strftime(t, '%H:%M:%S'),
  y: (t) => padded(t.getUTCFullYear() % 100),
  Y: (t) => String(t.getUTCFullYear()),
  // Python's now() has no time zone.
  z: () => '',
  Z: () => '',
  '%': () => '%',
};

/** Python's strftime of a time's UTC fields, in the C locale. Throws TemplateFault for an unknown directive. */
export function strftime(moment: Date, format: string): string {
  return format.replace(/%(-?)(.?)/gsu, (all, minus: string, directive: string) => {
    const write = Object.hasOwn(DIRECTIVES, directive) ? DIRECTIVES[directive] : undefined;
    if (!write) {
      throw unsupported(`the directive ${all} of strftime`);
    }
    const text = write(moment);
    // glibc's %-d: without leading zeros.
    return minus ? text.replace(/^[0 ]+(?=\d)/, '') : text;
  });
}

function dayOfYear(t: Date): number {
  return Math.floor((t.getTime() - Date.UTC(t.getUTCFullYear(), 0, 1)) / DAY_MS);
}
