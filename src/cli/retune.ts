import { Command, CommanderError } from 'commander';
import { UserError } from '../formats/user-error.ts';
import { batchTestCommand } from './commands/batch-test.ts';
import { cacheCommand } from './commands/cache.ts';
import { benchCommand } from './commands/bench.ts';
import { compareCommand } from './commands/compare.ts';
import { demoCommand } from './commands/demo.ts';
import { finetuneCommand } from './commands/finetune.ts';
import { inspectCommand } from './commands/inspect.ts';
import { planCommand } from './commands/plan.ts';
import { rowsCommand } from './commands/rows.ts';
import { refuseEmpty } from './options.ts';

const ISSUES = 'please report it with this message';

/** Runs one command line; returns the exit code. */
async function main(args: readonly string[]): Promise<number> {
  let exitCode = 0;
  const end = (code: number) => {
    exitCode = code;
  };
  const program = new Command('retune')
    .description('Continues the fine-tuning of a LoRA adapter on your own GPU. Nothing leaves this machine.')
    .usage('<command> [options]')
    .helpCommand(false)
    .configureOutput({ writeErr: () => undefined })
    .exitOverride()
    .hook('preAction', (_, command) => refuseEmpty(command));
  for (const add of [
    finetuneCommand,
    batchTestCommand,
    rowsCommand,
    planCommand,
    inspectCommand,
    compareCommand,
    demoCommand,
    benchCommand,
    cacheCommand,
  ])
    add(program, end);
  try {
    if (args.length === 0)
      throw new UserError(
        `retune: no command given, expected one of ${program.commands.map((c) => c.name()).join(', ')}; see retune --help.`,
      );
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    return explain(error, args[0]);
  }
}

/** Says on stderr what went wrong; returns the exit code. */
function explain(error: unknown, command = ''): number {
  const debug = process.env.RETUNE_DEBUG === '1';
  if (error instanceof CommanderError && error.exitCode === 0) return 0;
  const stack = debug && error instanceof Error ? `${error.stack}\n` : '';
  if (error instanceof CommanderError) {
    const ofProgram = command.startsWith('-') || error.code === 'commander.unknownCommand';
    const help = ofProgram ? '' : `${command} `;
    process.stderr.write(`${commanderSentence(error)}; see retune ${help}--help.\n`);
    return 2;
  }
  if (error instanceof UserError) {
    process.stderr.write(stack || `${error.message}\n`);
    return 2;
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  process.stderr.write(
    stack || `This is a bug in Retune, ${ISSUES}: ${message} (RETUNE_DEBUG=1 shows where)\n`,
  );
  return 1;
}

/** Commander's message as the beginning of a sentence. */
function commanderSentence({ message }: CommanderError): string {
  const text = message
    .replace(/^error: /, '')
    .replaceAll('\n', ' ')
    .replace('. Allowed', ': allowed')
    .replace(/\.$/, '');
  return `retune: ${text}`;
}

// Whoever reads our lines may have seen enough of them.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
process.exitCode = await main(process.argv.slice(2));
