import type { Command } from 'commander';
import { UserError } from '../../formats/user-error.ts';
import { readPort } from '../../serve/port.ts';
import { checkFree, servePage } from '../../serve/serve.ts';
import { openDisplay } from '../display.ts';
import { builtPage } from '../package-root.ts';

/** `retune start`: the page, served to this machine. */
export function startCommand(program: Command): void {
  program
    .command('start')
    .summary('serve the page to this machine and open it')
    .description(
      'Serves the page at http://localhost:17388, to this machine only, and opens it in the browser.',
    )
    .option('--port <n>', 'another port; the runs that a browser keeps belong to one port')
    .action(runStart);
}

async function runStart(options: { port?: string }): Promise<void> {
  const port = readPort(options.port === undefined ? [] : ['--port', options.port]);
  const page = builtPage();
  if (page === undefined) {
    throw new UserError(
      'retune start serves the page of an installed package; in a checkout, run "npm start".',
    );
  }
  const display = openDisplay();
  await checkFree(port);
  await servePage(port, page, (line) => display.line(line));
}
