import { type Report, showCell } from './report.ts';

const [WIDTH, LABEL, BAR, LINE] = [860, 330, 400, 22];

const escape = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

/** Bars of every speed in tokens/s and every share of the f32 ceiling, as an SVG file. */
export function plotSvg({ facts, countsOnly, sections }: Report): string {
  const parts: string[] = [];
  let y = 30;
  const text = (x: number, what: string, size: number) =>
    parts.push(`<text x="${x}" y="${y}" font-size="${size}">${escape(what)}</text>`);
  text(10, `${facts['gpu']}`, 16);
  for (const unit of ['tokens/s', '% of f32 ceiling']) {
    for (const { title, columns, rows } of sections) {
      const column = columns.indexOf(unit);
      const bars = rows.flatMap((row) => {
        const cell = row[column];
        if (typeof cell !== 'object' || countsOnly || !Number.isFinite(cell.speed)) {
          return [];
        }
        return [{ label: row.filter((c, i) => i < 4 && typeof c === 'string').join(' '), cell }];
      });
      if (bars.length === 0) {
        continue;
      }
      const most = unit === 'tokens/s' ? Math.max(...bars.map(({ cell }) => cell.speed)) : 100;
      y += 2 * LINE;
      text(10, `${title}: ${unit}`, 13);
      for (const { label, cell } of bars) {
        y += LINE;
        text(20, label, 12);
        const width = (BAR * Math.min(cell.speed, most)) / most;
        parts.push(
          `<rect x="${LABEL}" y="${y - 12}" width="${width.toFixed(1)}" height="15" fill="#1f4d4a"/>`,
        );
        text(LABEL + width + 6, showCell(cell, false), 12);
      }
    }
  }
  y += LINE;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" font-family="sans-serif"><rect width="100%" height="100%" fill="#fff"/>${parts.join('')}</svg>\n`;
}
