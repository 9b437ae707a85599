import { SingleBar } from 'cli-progress';

/** What the live line shows. */
export interface Progress {
  task: string;
  done: number;
  total: number;
  /** Figures behind the bar. */
  info?: string;
}

/** Where a command reports: lines that stay and, on a terminal, one live line below them. */
export interface Display {
  /** Writes a line that stays. */
  line(text: string): void;
  /** Says, where there is no live line, that something begins. */
  begin(text: string): void;
  /** Redraws the live line. */
  progress(progress: Progress): void;
  /** Takes the live line away. */
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
    this.#stream.write(`${text}\n`);
  }

  begin(text: string): void {
    this.line(text);
  }

  progress(): void {
    // Lines say it.
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
      format: (_options, { maxWidth }, payload: Progress) => drawBar(payload, maxWidth),
    });
  }

  line(text: string): void {
    const shown = this.#shown;
    this.close();
    this.#stream.write(`${text}\n`);
    if (shown) this.progress(shown);
  }

  begin(): void {
    // The live line says it.
  }

  progress(progress: Progress): void {
    if (this.#shown) this.#bar.update(progress.done, progress);
    else this.#bar.start(progress.total, progress.done, progress);
    this.#shown = progress;
  }

  close(): void {
    this.#bar.stop();
    this.#shown = undefined;
  }
}

const BAR_CELLS = 24;

/** One line of at most `width` - 1 characters. */
export function drawBar({ task, done, total, info = '' }: Progress, width: number): string {
  const share = total > 0 ? Math.min(1, done / total) : 0;
  const full = Math.floor(share * BAR_CELLS);
  const bar = '█'.repeat(full) + '░'.repeat(BAR_CELLS - full);
  const percent = `${Math.floor(100 * share)}%`.padStart(4);
  return `${task.padEnd(16)} ${bar} ${percent}  ${info}`.trimEnd().slice(0, Math.max(1, width - 1));
}
