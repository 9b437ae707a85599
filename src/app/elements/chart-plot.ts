import type uPlot from 'uplot';
import { logTicks, STEP_INCREMENTS, tickTexts } from './chart-data.ts';

/** A line as it is drawn. */
export interface DrawnLine {
  color: string;
  dash: readonly number[] | undefined;
  /** Stands behind its smoothed line. */
  faint: boolean;
}

export interface PlotLook {
  width: number;
  height: number;
  lines: readonly DrawnLine[];
  logarithmic: boolean;
  /** Resolves a custom property of tokens.css. */
  color: (name: string) => string;
  /** The steps that are shown while nothing is zoomed. */
  range: () => readonly [number, number];
  /** The crosshair is at a step's index, or nowhere. */
  onCursor: (index: number | undefined) => void;
  /** Steps were selected, or all are to be shown. */
  onZoom: (range: readonly [number, number] | undefined) => void;
}

/** What uPlot draws a chart by. */
export function plotOptions(look: PlotLook): uPlot.Options {
  const { width, height, lines, logarithmic, color, range, onCursor, onZoom } = look;
  const axis: uPlot.Axis = {
    stroke: color('--ink-soft'),
    grid: { stroke: color('--line'), width: 1 },
    ticks: { stroke: color('--line'), width: 1, size: 4 },
    font: `12px ${color('--sans')}`,
  };
  return {
    width,
    height,
    legend: { show: false },
    cursor: { drag: { x: true, y: false, setScale: false }, y: false },
    select: { show: true, left: 0, top: 0, width: 0, height: 0 },
    hooks: {
      setCursor: [(plot) => onCursor(plot.cursor.idx ?? undefined)],
      setSelect: [
        (plot) => {
          const { left, width: wide } = plot.select;
          if (wide > 0) {
            onZoom([plot.posToVal(left, 'x'), plot.posToVal(left + wide, 'x')]);
            plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          }
        },
      ],
    },
    scales: {
      x: { time: false, range: () => [...range()] as [number, number] },
      // Whole decades would leave most of a loss' plot empty.
      y: logarithmic ? { distr: 3, range: (_, min, max) => [min / 1.05, max * 1.05] } : {},
    },
    axes: [
      { ...axis, size: 28, space: 60, incrs: STEP_INCREMENTS },
      {
        ...axis,
        size: 64,
        space: 32,
        values: (_, ticks) => tickTexts(ticks),
        ...(logarithmic && {
          splits: (_: uPlot, __: number, min: number, max: number) => logTicks(min, max, height / 32),
          filter: (_: uPlot, ticks: number[]) => ticks,
        }),
      },
    ],
    series: [
      {},
      ...lines.map((line): uPlot.Series => ({
        stroke: color(line.color),
        width: line.faint ? 1 : 2,
        alpha: line.faint ? 0.35 : 1,
        spanGaps: true,
        points: { show: fewPoints, size: 5, fill: color(line.color) },
        ...(line.dash ? { dash: [...line.dash] } : {}),
      })),
    ],
  };
}

/** Dots only where they do not touch. */
const fewPoints = (plot: uPlot, series: number): boolean =>
  Array.from(plot.data[series] ?? []).filter((value) => typeof value === 'number').length < 40;

const MARGIN = 16;
const LINE = 22;

/** The plot under its heading and its legend, on the page's own background, as a PNG. */
export async function plotPng(
  plot: uPlot,
  heading: string,
  legend: readonly { name: string; color: string }[],
  color: (name: string) => string,
): Promise<Blob> {
  const { canvas } = plot.ctx;
  const scale = canvas.width / plot.width;
  const top = 2 * MARGIN + LINE;
  const image = new OffscreenCanvas(
    Math.round(canvas.width + 2 * MARGIN * scale),
    Math.round(canvas.height + (top + MARGIN) * scale),
  );
  const context = image.getContext('2d')!;
  context.fillStyle = color('--surface');
  context.fillRect(0, 0, image.width, image.height);
  context.drawImage(canvas, MARGIN * scale, top * scale);
  context.scale(scale, scale);
  context.textBaseline = 'top';
  context.font = `600 14px ${color('--sans')}`;
  context.fillStyle = color('--ink');
  context.fillText(heading, MARGIN, MARGIN);
  let x = MARGIN + context.measureText(heading).width + 2 * MARGIN;
  context.font = `13px ${color('--sans')}`;
  for (const { name, color: own } of legend) {
    context.fillStyle = color(own);
    context.fillRect(x, MARGIN + 6, 18, 3);
    context.fillStyle = color('--ink-soft');
    context.fillText(name, x + 24, MARGIN);
    x += 24 + context.measureText(name).width + MARGIN;
  }
  return image.convertToBlob({ type: 'image/png' });
}
