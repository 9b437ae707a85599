/** "Nov 20, 2026, 9:30 AM", as the browser's language writes it; `time` in milliseconds. */
export const showDate = (time: number): string =>
  new Date(time).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
