import { Console } from 'node:console';
import { Writable } from 'node:stream';
import { escapedLine, escapedLines } from '../formats/visible-text.ts';

// All output for people goes through here, and only here: text of files, models and libraries must not control the
// terminal. Control, bidirectional and invisible characters are escaped.

/** Writes one line, escaping line breaks within it. Returns false if the stream's reader is slower. */
export const writeLine = (stream: NodeJS.WritableStream, line: string): boolean =>
  stream.write(`${escapedLine(line)}\n`);

/** Writes lines of our own layout: help, JSON, a stack. Escapes in JSON do not change its meaning. */
export const writeLines = (stream: NodeJS.WritableStream, text: string): void => {
  stream.write(escapedLines(text));
};

/** Sends what libraries print, and Node's warnings, to stderr in the same way. */
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
