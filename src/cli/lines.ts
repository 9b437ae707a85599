import { Console } from 'node:console';
import { Writable } from 'node:stream';
import { escapedLine, escapedLines } from '../formats/visible-text.ts';

// Whatever is written for people passes here, and only here: text of files, models and libraries may not steer the
// terminal. Control, bidirectional and invisible characters are shown escaped.

/** Writes one line; line breaks inside of it are shown escaped, too. False where the stream's reader is slower. */
export const writeLine = (stream: NodeJS.WritableStream, line: string): boolean =>
  stream.write(`${escapedLine(line)}\n`);

/** Writes lines of a layout of our own: help, JSON, a stack. Escapes in JSON leave its meaning as it is. */
export const writeLines = (stream: NodeJS.WritableStream, text: string): void => {
  stream.write(escapedLines(text));
};

/** What libraries print, and the warnings of Node, go to stderr by the same way. */
export function tameConsole(): void {
  const stderr = new Writable({
    decodeStrings: false,
    write: (text: string | Buffer, _encoding, done) => {
      writeLines(process.stderr, String(text));
      done();
    },
  });
  globalThis.console = new Console(stderr);
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => writeLine(process.stderr, `${name}: ${message}`));
}
