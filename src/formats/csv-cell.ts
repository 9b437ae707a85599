/** Characters that start a formula in spreadsheets. */
const FORMULA = /^[=+\-@\t\r＝＋－＠]/;

/**
 * A value as it appears in a line. Text that a spreadsheet would evaluate is prefixed with an apostrophe: a model's
 * answer must not become a formula.
 */
export function csvCell(value: string | number | undefined): string {
  if (value === undefined) {
    return '';
  }
  if (typeof value === 'number') {
    return String(value);
  }
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
