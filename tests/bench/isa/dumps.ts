import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** What a driver printed while it compiled one pipeline. */
interface Dump {
  label: string;
  lines: string[];
}

/**
 * The dumps in a driver's output, between the lines of inside/announce.mjs; what stands outside them is added to
 * `other`. `restart`: a line that makes those before it in a dump worthless.
 */
export async function* dumpsIn(
  output: Readable,
  restart: RegExp | undefined,
  other: string[],
): AsyncGenerator<Dump> {
  let dump: Dump | undefined;
  for await (const line of createInterface({ input: output, crlfDelay: Infinity })) {
    if (line === '@@@end') {
      if (dump) {
        yield dump;
      }
      dump = undefined;
    } else if (line.startsWith('@@@ ')) {
      dump = { label: line.slice(4), lines: [] };
    } else if (!dump) {
      other.push(line);
    } else {
      if (restart?.test(line)) {
        dump.lines = [];
      }
      dump.lines.push(line);
    }
  }
}
