/**
 * A wall-clock time without a time zone: "2026-03-07T14:05:09". Templates write it, as they do in Python with
 * datetime.now().
 */
export type Moment = string;

/** The wall-clock time now, or of another date. */
export function wallClock(date = new Date()): Moment {
  const two = (n: number): string => String(n).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day}T${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`;
}

const FORM = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?)?$/;

/**
 * Parses a date or time of the form 2026-03-07 or 2026-03-07T14:05:09; undefined if the text is neither, or there
 * is no such day.
 */
export function parseMoment(text: string): Moment | undefined {
  const parts = FORM.exec(text);
  if (!parts) {
    return undefined;
  }
  const [, year, month, day, hour = '00', minute = '00', second = '00'] = parts;
  const moment = `${year}-${month}-${day}T${hour}:${minute}:${second}`;
  // A day such as February 30 becomes a different one.
  return fieldsOf(moment).toISOString().startsWith(moment) ? moment : undefined;
}

/** The time as messages show it: "2026-03-07 14:05:09". */
export const showMoment = (moment: Moment): string => moment.replace('T', ' ');

/** Its day: "2026-03-07". */
export const dayOf = (moment: Moment): string => moment.slice(0, 10);

/** A date whose UTC fields are the time's. */
export const fieldsOf = (moment: Moment): Date => {
  const date = new Date(`${moment}Z`);
  return Number.isNaN(date.getTime()) ? new Date(0) : date;
};
