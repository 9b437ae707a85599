import { setPiecewiseHashing } from '../formats/piecewise-sha256.ts';
import { explain, runCommandLine } from './command-line.ts';
import { threadedHashing } from './hash-threads.ts';
import { interrupt, SIGNAL_CODES } from './interrupt.ts';
import { tameConsole } from './lines.ts';

// The process around one command line: its streams, signals and exit code.

tameConsole();
interrupt.watch();
setPiecewiseHashing(threadedHashing);
process.on('uncaughtException', (error) => process.exit(explain(error)));
const exitCode = await runCommandLine(process.argv.slice(2));
interrupt.handle('system');
process.exitCode = exitCode;
if (interrupt.tellLoss() || exitCode === SIGNAL_CODES.SIGHUP) {
  interrupt.leave();
}
