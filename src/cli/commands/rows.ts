import type { Command } from 'commander';
import { readModelLimits } from '../../formats/model-limits.ts';
import { shortenWords } from '../../formats/quote.ts';
import { UserError } from '../../formats/user-error.ts';
import { counted, showCount, showShare } from '../../formats/words.ts';
import { writesDate } from '../../text/chat-template-files.ts';
import type { Columns } from '../../text/columns.ts';
import { loadTokenizer } from '../../text/load-tokenizer.ts';
import { wallClock } from '../../text/moment.ts';
import { dateNote, eachRow, type EncodedRow, renderRow, type RowOutcome } from '../../text/rows.ts';
import { RowsTally } from '../../text/rows-tally.ts';
import type { TextTokenizer } from '../../text/tokenizer.ts';
import { type Display, openDisplay } from '../display.ts';
import { baseNamed } from '../hub-cache.ts';
import { writeLine } from '../lines.ts';
import { nodeFolder, rowsSource } from '../node-files.ts';
import { columnsOptionOf, numberOption, readRecipeFile, rowChangesOption } from '../options.ts';
import { INVOCATION } from '../package-root.ts';

interface Options {
  base: string;
  trainData: string;
  columns?: Columns;
  rowChanges?: string;
  config?: string;
  n?: number;
  json?: true;
}

/** Default number of rows shown in a terminal. */
const SHOWN = 3;
/** Maximum skipped rows listed. */
const MAX_NAMED = 5;

/** `retune rows`: what a dataset's rows become, and which part of them is trained. */
export function rowsCommand(program: Command): void {
  program
    .command('rows')
    .summary('show what will be trained, row by row')
    .description(
      'Shows the rows of a dataset as the model gets them, with the trained part between ⟦ and ⟧, and counts them. Reads the tokenizer files of the base only, no weights.',
    )
    .requiredOption('--base <folder>', 'base model in Hugging Face format; its tokenizer files are enough')
    .requiredOption('--train-data <file>', 'rows: JSONL, JSON, CSV, TSV or Parquet, or one of these as .gz')
    .addOption(columnsOptionOf())
    .addOption(rowChangesOption('--train-data'))
    .option('--config <file>', 'training_config.yaml; rows are cut at its max_seq_length')
    .option('--n <count>', 'rows to show', numberOption({ whole: true, min: 0 }))
    .option('--json', 'print one line of JSON per row, and the counts on stderr')
    .addHelpText(
      'after',
      `
A line of --json is {"row", "format", "text", "ids", "trained"}: "row" is the line in JSONL, else the place in the list; "trained" is 1 where the token is a target. A row that nothing is trained of has "skipped", the reason, instead of ids. Without --config rows are not cut.

Example:
  ${INVOCATION} rows --base Qwen2.5-1.5B-Instruct --train-data train.jsonl`,
    )
    .action(runRows);
}

async function runRows(options: Options): Promise<void> {
  const display = openDisplay(options.json ? process.stderr : process.stdout);
  try {
    const recipe = await readRecipeFile(options.config, display);
    const source = await rowsSource(options.trainData, options.columns, options.rowChanges);
    const base = await nodeFolder(await baseNamed(options.base));
    const { tableRows, maxPositions } = await readModelLimits(base);
    const tokenizer = await loadTokenizer(base, tableRows);
    const uncut = options.json && options.config === undefined;
    const maxLength = uncut ? Infinity : recipe.training.maxLength;
    const limit = options.n ?? (options.json ? Infinity : SHOWN);
    const tally = new RowsTally(maxPositions);
    const moment = wallClock();
    let chat = false;
    let shown = 0;
    for await (const outcome of eachRow(source, tokenizer, { maxLength, moment }, tally)) {
      ({ chat } = outcome);
      if (shown++ < limit) {
        if (options.json) {
          await writeJson(jsonLine(outcome, tokenizer));
        } else {
          for (const line of rowLines(outcome, tokenizer, tally.columns?.unit)) {
            display.line(line);
          }
        }
      } else {
        const { bytesRead: done } = outcome;
        display.progress({ task: 'tokenizing', done, total: source.size });
      }
    }
    if (shown === 0) {
      throw new UserError(`${source.name}: there are no rows in it; write one JSON object per line.`);
    }
    tellCounts(display, source.name, tally, maxLength);
    for (const note of tokenizer.notes) {
      display.line(`Note: ${note}`);
    }
    if (chat && writesDate(tokenizer.templates)) {
      display.line(`Note: ${dateNote(moment)}`);
    }
  } finally {
    display.close();
  }
}

function jsonLine({ place, format, row, why }: RowOutcome, tokenizer: TextTokenizer): object {
  if (!row) {
    return { row: place, format, skipped: why };
  }
  const trained = Array.from(row.trained, (flag, i) => (i === 0 ? 0 : flag));
  return { row: place, format, text: textOf(row, tokenizer), ids: [...row.ids], trained };
}

const textOf = (row: EncodedRow, tokenizer: TextTokenizer): string =>
  renderRow(tokenizer, row)
    .map(({ text }) => text)
    .join('');

function rowLines(
  { line, row, why }: RowOutcome,
  tokenizer: TextTokenizer,
  unit: 'line' | 'row' = 'line',
): string[] {
  if (!row) {
    return [`${unit} ${line}: skipped, ${why}`, ''];
  }
  const text = renderRow(tokenizer, row)
    .map((piece) => (piece.trained ? `⟦${piece.text}⟧` : piece.text))
    .join('');
  const trained = row.trained.subarray(1).reduce((sum, flag) => sum + flag, 0);
  const head = `${unit} ${line}: ${counted(row.ids.length, 'token')}${row.cut ? ', cut' : ''}, ${showCount(trained)} trained`;
  return [head, ...text.split('\n').map((part) => `  ${part}`), ''];
}

/** Counts over all rows, shown or not. */
function tellCounts(display: Display, name: string, tally: RowsTally, maxLength: number): void {
  display.close();
  const { tokens, trainedTokens, skipped } = tally;
  const facts: [string, string][] = [
    ['rows', [...tally.formats].map(([format, rows]) => `${showCount(rows)} as ${format}`).join(', ') || '0'],
    ['tokens', showCount(tokens)],
    ['trained', `${showCount(trainedTokens)} (${showShare(trainedTokens, tokens)})`],
    ['longest', counted(tally.longest, 'token')],
    [
      'cut',
      Number.isFinite(maxLength) ? `${showCount(tally.cut)}, at ${counted(maxLength, 'token')}` : 'none',
    ],
    ['duplicates', showCount(tally.duplicates)],
    ['skipped', showCount(skipped.length)],
  ];
  for (const [key, value] of facts) {
    display.line(`${key.padEnd(12)}${value}`);
  }
  for (const { line, why } of skipped.slice(0, MAX_NAMED)) {
    display.line(`  ${tally.columns?.unit ?? 'line'} ${line}: ${why}`);
  }
  if (skipped.length > MAX_NAMED) {
    display.line(`  and ${showCount(skipped.length - MAX_NAMED)} more`);
  }
  for (const note of tally.notes(name)) {
    display.line(`Note: ${shortenWords(note)}`);
  }
}

/** Writes a line to stdout; waits if its reader is slower. */
async function writeJson(value: object): Promise<void> {
  if (!writeLine(process.stdout, JSON.stringify(value))) {
    await new Promise((resolve) => process.stdout.once('drain', resolve));
  }
}
