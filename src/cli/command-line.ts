import { Command, CommanderError } from 'commander';
import { shorten, shortenWords } from '../formats/quote.ts';
import { HOW, PROMISE, WHAT } from '../formats/story.ts';
import { UserError } from '../formats/user-error.ts';
import { batchTestCommand } from './commands/batch-test.ts';
import { benchCommand } from './commands/bench.ts';
import { cacheCommand } from './commands/cache.ts';
import { checkCommand } from './commands/check.ts';
import { compareCommand } from './commands/compare.ts';
import { demoCommand } from './commands/demo.ts';
import { doctorCommand } from './commands/doctor.ts';
import { exampleCommand } from './commands/example.ts';
import { exportCommand } from './commands/export.ts';
import { finetuneCommand } from './commands/finetune.ts';
import { handoverCommand } from './commands/handover.ts';
import { inspectCommand } from './commands/inspect.ts';
import { planCommand } from './commands/plan.ts';
import { rowsCommand } from './commands/rows.ts';
import { startCommand } from './commands/start.ts';
import { writeLine, writeLines } from './lines.ts';
import { refuseEmpty } from './options.ts';
import { ownVersion } from './package-root.ts';

const ISSUES = 'please report it with this message';

/** The end of every --help. */
const EXIT_CODES =
  'Exit codes: 0 done, 2 something you can fix (one sentence on stderr says what), 129, 130 or 143 ended by SIGHUP, Ctrl-C or SIGTERM, 141 the reader of stdout closed it, 1 a bug in Retune.';

/** Runs one command line and reports errors on stderr; resolves to the exit code. */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  let exitCode = 0;
  const end = (code: number) => {
    exitCode = code;
  };
  const program = new Command('retune')
    .description(`${WHAT} ${HOW} ${PROMISE}`)
    .usage('<command> [options]')
    .helpCommand(false)
    .addHelpText('afterAll', `\n${EXIT_CODES}`)
    .configureOutput({
      writeOut: (text) => writeLines(process.stdout, text),
      writeErr: () => undefined,
    })
    .exitOverride()
    .hook('preAction', (_, command) => refuseEmpty(command));
  const version = await ownVersion();
  if (version !== undefined) {
    program.version(version, '-V, --version', "display Retune's version");
  }
  for (const add of [
    finetuneCommand,
    batchTestCommand,
    checkCommand,
    rowsCommand,
    planCommand,
    inspectCommand,
    compareCommand,
    exportCommand,
    handoverCommand,
    demoCommand,
    exampleCommand,
    benchCommand,
    cacheCommand,
    startCommand,
    doctorCommand,
  ]) {
    add(program, end);
  }
  try {
    await program.parseAsync(args.length === 0 ? ['--help'] : args, { from: 'user' });
    return exitCode;
  } catch (error) {
    return explain(error, args[0]);
  }
}

/** Whether the process's start folder is gone, so that relative paths lead nowhere. */
const isLost = (error: unknown): boolean =>
  error instanceof Error && (error as NodeJS.ErrnoException).syscall === 'uv_cwd';

const LOST = new UserError(
  'retune: the folder in which this command was started no longer exists; change to one that does.',
);

/** Reports an error on stderr; returns the exit code. */
export function explain(thrown: unknown, command = ''): number {
  const error = isLost(thrown) ? LOST : thrown;
  const debug = process.env.RETUNE_DEBUG === '1';
  if (error instanceof CommanderError && error.exitCode === 0) {
    return 0;
  }
  const stack = debug && error instanceof Error ? `${error.stack}\n` : '';
  if (error instanceof CommanderError) {
    const ofProgram = command.startsWith('-') || error.code === 'commander.unknownCommand';
    const help = ofProgram ? '' : `${command} `;
    writeLine(process.stderr, `${commanderSentence(error)}; see retune ${help}--help.`);
    return 2;
  }
  if (stack) {
    writeLines(process.stderr, stack);
  } else {
    writeLine(process.stderr, error instanceof UserError ? error.message : bugSentence(error));
  }
  return error instanceof UserError ? 2 : 1;
}

function bugSentence(error: unknown): string {
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return `This is a bug in Retune, ${ISSUES}: ${shorten(message)} (RETUNE_DEBUG=1 shows where)`;
}

/** Commander's message as the beginning of a sentence. */
function commanderSentence({ message }: CommanderError): string {
  const text = message
    .replace(/^error: /, '')
    .replaceAll('\n', ' ')
    .replace('. Allowed', ': allowed')
    .replace(/\.$/, '');
  return `retune: ${shortenWords(text)}`;
}
