// A process that hears signals through Interrupt, as HANDLING says, and tells about them. BUSY=1: from the first line
// on it never gives JavaScript its turn. TALK=1: it writes lines until it is stopped.
import { type Handling, interrupt } from '../../src/cli/interrupt.ts';

const { HANDLING, BUSY, TALK } = process.env;
interrupt.watch();
// Listeners come and go as a command goes on.
interrupt.handle('end', {});
interrupt.handle(HANDLING as Handling, {
  onKeep: () => console.log('keeping'),
  onEnd: () => console.log('ending'),
});
let forEver = true;
interrupt.signal.addEventListener('abort', () => {
  console.log(`aborted, ${interrupt.exitCode}`);
  if (!TALK) {
    return;
  }
  interrupt.tellLoss('Kept.');
  forEver = false;
});
process.stdout.write(`ready, ${process.pid}\n`);
while (forEver) {
  if (!BUSY) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  if (TALK) {
    console.log('line');
  }
}
process.exit(interrupt.exitCode);
