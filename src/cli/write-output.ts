import { rmSync } from 'node:fs';
import { exportBytes, type OutputFile } from '../export/output-file.ts';
import { counted, showBytes } from '../formats/words.ts';
import { type Display, openDisplay } from './display.ts';
import { partialName } from './durable-files.ts';
import { interrupt } from './interrupt.ts';
import { OutputLock } from './output-lock.ts';
import { checkRoom, writeExportFile, writeExportFolder } from './write-export.ts';

const STOPPED = 'Stopped; nothing was written.';

/** What a command that makes one new file or folder works with. */
export interface OutputWriter {
  readonly display: Display;
  /** Throws UserError if another command writes there. */
  checkLock(): Promise<void>;
  /** Tells the size, makes sure that there is room for it, and writes it whole or not at all. Throws UserError. */
  write(files: readonly OutputFile[], form: 'file' | 'folder'): Promise<void>;
}

/**
 * Runs a command that makes `output`, a new file or folder, with its lock, and returns its exit code; a signal stops it
 * with nothing written. `kind` is what is made, for messages.
 */
export async function withOutput(
  output: string,
  kind: string,
  work: (writer: OutputWriter) => Promise<void>,
): Promise<number> {
  const display = openDisplay();
  const { signal } = interrupt;
  const lock = OutputLock.beside(output, kind);
  const write: OutputWriter['write'] = async (files, form) => {
    display.close();
    const total = exportBytes(files);
    display.line(`${counted(files.length, 'file')}, ${showBytes(total)}: ${output}`);
    await checkRoom(output, total);
    interrupt.handle('end', {
      onEnd: () => {
        rmSync(partialName(output), { recursive: true, force: true });
        display.close();
        display.line(STOPPED);
      },
    });
    await lock.take();
    display.begin('writing');
    const onProgress = (done: number) => showBytesDone(display, 'writing', done, total);
    if (form === 'file') {
      await writeExportFile(output, files[0]!, { signal, onProgress });
    } else {
      await writeExportFolder(output, files, { signal, onProgress });
    }
    display.close();
    interrupt.handle('system');
  };
  try {
    await work({ display, checkLock: () => lock.check(), write });
    return interrupt.exitCode ?? 0;
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) {
      throw error;
    }
    display.close();
    display.line(STOPPED);
    return interrupt.exitCode!;
  } finally {
    display.close();
    lock.release();
  }
}

/** A task's progress in bytes. */
export function showBytesDone(display: Display, task: string, done: number, total: number): void {
  display.progress({ task, done, total, figures: [`${showBytes(done)} of ${showBytes(total)}`] });
}
