// A process that takes the lock of the output it is given, says so, and holds it until its stdin ends. With a second
// argument it first waits for a file of that name, so that many begin at once.
import { existsSync } from 'node:fs';
import { writeLine } from '../../src/cli/lines.ts';
import { OutputLock } from '../../src/cli/output-lock.ts';

const [output = '', signal] = process.argv.slice(2);
writeLine(process.stdout, 'ready');
while (signal !== undefined && !existsSync(signal)) {
  await new Promise((resolve) => setTimeout(resolve, 1));
}
const lock = new OutputLock(output);
try {
  await lock.check();
  await lock.take();
  writeLine(process.stdout, 'held');
} catch (error) {
  writeLine(process.stdout, `refused: ${(error as Error).message}`);
}
process.stdin.resume();
