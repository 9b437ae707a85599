import { SingleBar } from 'cli-progress';
import { escapedLine } from '../formats/visible-text.ts';
import { writeLine, writeLines } from './lines.ts';

/** Content of the live line. */
export interface Progress {
  task: string;
  done: number;
  total: number;
  /** After the bar, most important first. */
  figures?: readonly string[];
  /** After those, if the terminal is wide enough for a bar as well. */
  extras?: readonly string[];
}

/** A command's output: permanent lines and, on a terminal, one live line below them. */
export interface Display {
  /** Writes a permanent line. */
  line(text: string): void;
  /** Writes a value for other programs. */
  json(value: unknown): void;
  /** Reports, if there is no live line, that something begins. */
  begin(text: string): void;
  /** Redraws the live line. */
  progress(progress: Progress): void;
  /** Removes the live line. */
  close(): void;
}

/** A bar on a terminal, plain lines elsewhere. */
export function openDisplay(stream: NodeJS.WriteStream = process.stdout): Display {
  return stream.isTTY ? new TerminalDisplay(stream) : new PlainDisplay(stream);
}

class PlainDisplay implements Display {
  readonly #stream: NodeJS.WritableStream;

  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream;
  }

  line(text: string): void {
    writeLine(this.#stream, text);
  }

  json(value: unknown): void {
    writeLines(this.#stream, showJson(value));
  }

  begin(text: string): void {
    this.line(text);
  }

  progress(): void {
    // Permanent lines report it.
  }

  close(): void {
    // There is no live line.
  }
}

class TerminalDisplay implements Display {
  readonly #stream: NodeJS.WriteStream;
  readonly #bar: SingleBar;
  #shown: Progress | undefined;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    this.#bar = new SingleBar({
      stream,
      fps: 8,
      clearOnComplete: true,
      // No line is wider than the terminal, so a killed process leaves the terminal intact.
      linewrap: true,
      format: (_options, { maxWidth }, payload: Progress) => drawBar(payload, maxWidth),
    });
  }

  line(text: string): void {
    this.#above(() => writeLine(this.#stream, text));
  }

  json(value: unknown): void {
    this.#above(() => writeLines(this.#stream, showJson(value)));
  }

  begin(): void {
    // The live line reports it.
  }

  progress(progress: Progress): void {
    if (this.#shown) {
      // What an update leaves out stays as it was.
      this.#bar.update(progress.done, { extras: [], ...progress });
    } else {
      this.#bar.start(progress.total, progress.done, progress);
    }
    this.#shown = progress;
  }

  close(): void {
    this.#bar.stop();
    this.#shown = undefined;
  }

  #above(write: () => void): void {
    const shown = this.#shown;
    this.close();
    write();
    if (shown) {
      this.progress(shown);
    }
  }
}

const showJson = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** Width of the bar in characters. */
const [WIDE, NARROW, LEAST] = [24, 8, 4];

/**
 * One line of at most `width` - 1 characters. If space is short, the bar shrinks and extras go, then the bar, then
 * the task's name, then figures from the end; none is truncated.
 */
export function drawBar(progress: Progress, width: number): string {
  const { done, total } = progress;
  const task = escapedLine(progress.task);
  const figures = (progress.figures ?? []).map(escapedLine);
  const extras = (progress.extras ?? []).map(escapedLine);
  const share = total > 0 ? Math.min(1, done / total) : 0;
  const percent = `${Math.floor(100 * share)}%`.padStart(4);
  const bar = (cells: number) => '█'.repeat(Math.floor(share * cells)).padEnd(cells, '░');
  const heads = [`${task.padEnd(16)} ${bar(WIDE)} ${percent}`, `${task} ${bar(NARROW)} ${percent}`];
  const shortHeads = [`${task} ${bar(LEAST)} ${percent}`, `${task} ${percent}`, percent];
  const lines = [
    ...fewer(extras).flatMap((some) => heads.map((head) => [head, ...figures, ...some])),
    ...fewer(figures).flatMap((some) => shortHeads.map((head) => [head, ...some])),
  ].map((parts) => parts.join('  '));
  return lines.find((line) => line.length < width) ?? '';
}

/** All of them, then without the last, without the last two, and so on; finally none. */
const fewer = (list: readonly string[]): string[][] =>
  Array.from({ length: list.length + 1 }, (_, i) => list.slice(0, list.length - i));
