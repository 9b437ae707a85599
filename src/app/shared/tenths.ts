/** Percent between two announcements of progress: each interrupts whoever hears it. */
const EVERY = 10;

/** "30%", for all from 30 to below 40. */
export const tenths = (done: number, total: number): string =>
  `${EVERY * Math.floor((100 * done) / Math.max(1, total) / EVERY)}%`;
