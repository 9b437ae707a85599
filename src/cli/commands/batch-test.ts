import { type Command, Option } from 'commander';
import { type AskEvent, askModel } from '../../comparison/ask-model.ts';
import { type BatchProgress, MAX_NEW_TOKENS } from '../../comparison/batch-test.ts';
import type { Folder } from '../../formats/byte-source.ts';
import { quoteAll } from '../../formats/quote.ts';
import { UserError } from '../../formats/user-error.ts';
import { encodeUtf8 } from '../../formats/utf8.ts';
import { counted, showCount, showSeconds, showSpeed } from '../../formats/words.ts';
import { PROMPT_FORMS, type PromptForm } from '../../generate/prompt-form.ts';
import { GREEDY, RECIPE_SAMPLING } from '../../generate/sampling.ts';
import type { Moment } from '../../text/moment.ts';
import { readOwnAdapterConfig } from '../adapter-config-file.ts';
import { checkCacheApart } from '../apart.ts';
import { baseCacheOption, openBaseCache } from '../base-cache.ts';
import { type Display, openDisplay } from '../display.ts';
import { replaceFiles } from '../durable-files.ts';
import { baseNamed, firstBase, hubCacheFolder } from '../hub-cache.ts';
import { interrupt } from '../interrupt.ts';
import { adapterFolder, nodeFolder, nodeSource } from '../node-files.ts';
import { withGpu } from '../open-gpu.ts';
import { dateOption, NONE, numberOption, readOwnRecipe, readRecipeFile } from '../options.ts';
import { checkOutputFile } from '../output-file.ts';
import { INVOCATION } from '../package-root.ts';
import { type BatchTestPlaces, batchTestPlaces, projectConfig } from '../project-layout.ts';
import { RunReport } from '../run-report.ts';
import { addSoftwareOptions, type SoftwareOptions } from '../software-device.ts';

interface Given extends SoftwareOptions, Partial<BatchTestPlaces> {
  base?: string;
  baseCache: string;
  prompt?: PromptForm;
  date?: Moment;
  greedy?: true;
  maxNewTokens: number;
  temperature: number;
  topP: number;
  topK: number;
  repetitionPenalty: number;
  seed: number;
  config?: string;
}
type Options = Given & BatchTestPlaces & { base: string };

const { temperature, topP, topK, repetitionPenalty } = RECIPE_SAMPLING;
const RECIPE = 'training_config.yaml';
const STOPPED = 'Stopped; nothing was written.';

/** `retune batch-test`: answers a file of questions. */
export function batchTestCommand(program: Command, end: (exitCode: number) => void): void {
  const command = program
    .command('batch-test')
    .summary('let a model answer a file of questions')
    .description(
      'Asks an adapter over its base (or the base alone) every question of a file and writes the answers with their token counts. Two such files go into "retune compare".',
    )
    .option(
      '--base <folder>',
      "base model in Hugging Face format: a folder, or a name in Hugging Face's cache (default: the model that the adapter names, if it is there)",
    )
    .option('--model <folder>', `PEFT LoRA adapter to test; "${NONE}" tests the base alone`)
    .option('--questions <file>', 'JSON list (or JSONL) of {question, answer?, topic?, difficulty?}')
    .option('--output <file>', 'where the answers go, as JSON')
    .addOption(
      new Option(
        '--prompt <form>',
        'how a question is presented: after "### Instruction:" or through the chat template (default: as the adapter was trained if Retune wrote it, else text)',
      ).choices(PROMPT_FORMS),
    )
    .option(
      '--date <date>',
      "current date for a chat template that writes it, YYYY-MM-DD (default: the date of the adapter's training if Retune wrote it, else today)",
      dateOption,
    )
    .addOption(
      new Option('--greedy', 'always take the most likely token, so that answers are reproducible').conflicts(
        ['temperature', 'topP', 'topK'],
      ),
    )
    .option(
      '--max-new-tokens <n>',
      'maximum tokens of an answer',
      numberOption({ whole: true, min: 1 }),
      MAX_NEW_TOKENS,
    )
    .option('--temperature <t>', 'divides the logits; 0 is greedy', numberOption({ min: 0 }), temperature)
    .option(
      '--top-p <p>',
      'sample from the most likely tokens up to this probability',
      numberOption({ min: 0, max: 1 }),
      topP,
    )
    .option(
      '--top-k <k>',
      'sample from the k most likely tokens; 0 for all',
      numberOption({ whole: true, min: 0 }),
      topK,
    )
    .option(
      '--repetition-penalty <x>',
      'above 1 avoids tokens that occurred before',
      numberOption({ min: 0 }),
      repetitionPenalty,
    )
    .option(
      '--seed <n>',
      'seed of the random numbers',
      numberOption({ whole: true, min: 0, max: 2 ** 32 - 1 }),
      42,
    )
    .option(
      '--config <file>',
      `${RECIPE} that says how the base is quantized (default: the one beside the adapter, else the recipe's values)`,
    )
    .addOption(baseCacheOption());
  addSoftwareOptions(command)
    .addHelpText(
      'after',
      `
In a project laid out like the recipe's, what is left out is taken from there: ./models/fine_tuned_v2, ./test_questions.json, and test_results_v2.json for the answers; the first line says so.

Example:
  ${INVOCATION} batch-test --base Qwen2.5-1.5B-Instruct --model v2 --questions questions.json --output answers_v2.json --greedy`,
    )
    .action(async (given: Given) => end(await runBatchTest(given, command)));
}

async function runBatchTest(given: Given, command: Command): Promise<number> {
  const begun = performance.now();
  const display = openDisplay();
  const { signal } = interrupt;
  const { places, told } = await batchTestPlaces(given, command);
  if (told !== undefined) {
    display.line(told);
  }
  try {
    const adapter = places.model === NONE ? undefined : await adapterFolder(places.model);
    const options: Options = { ...given, ...places, base: await basePath(given, adapter, display, command) };
    const base = await nodeFolder(options.base);
    const questions = await nodeSource(options.questions);
    const files = [{ what: 'the questions', path: options.questions }];
    if (options.config !== undefined) {
      files.push({ what: 'the recipe', path: options.config });
    }
    const folders = [{ what: 'the base model', path: options.base }];
    if (adapter) {
      folders.push({ what: 'the adapter', path: options.model });
    }
    await checkOutputFile(options.output, { what: 'the answers', files, folders });
    await checkCacheApart(options.baseCache, [...folders, ...files]);
    const recipe =
      options.config === undefined
        ? await readOwnRecipe(await recipeBeside(adapter))
        : await readRecipeFile(options.config, display);
    const report = new TestReport(display);
    const { maxNewTokens, seed } = options;
    const result = await withGpu(display, { remedy: 'run the same command again', options }, (openGpu) =>
      askModel({
        base,
        baseCache: openBaseCache(options.baseCache),
        adapter,
        questions,
        form: options.prompt,
        date: options.date,
        recipe,
        maxNewTokens,
        shorter: 'lower --max-new-tokens',
        sampling: { ...(options.greedy ? GREEDY : options), repetitionPenalty: options.repetitionPenalty },
        seed,
        testDate: localTime(new Date()),
        openGpu: () => {
          // All untrusted text has been read.
          interrupt.handle('end', {
            onEnd: () => {
              display.close();
              display.line(STOPPED);
            },
          });
          return openGpu();
        },
        emit: (event) => report.show(event),
        signal,
      }).catch((error: unknown) => {
        if (signal.aborted && error === signal.reason) {
          return undefined;
        }
        throw error;
      }),
    );
    display.close();
    if (!result) {
      display.line(STOPPED);
      return interrupt.exitCode!;
    }
    // From here on the answers are written whole.
    interrupt.handle('keep', {});
    await replaceFiles([[options.output, [encodeUtf8(`${JSON.stringify(result, null, 2)}\n`)]]]);
    const { total_questions: total, total_output_tokens: tokens } = result.summary;
    interrupt.handle('system');
    display.line(
      `Answered ${counted(total, 'question')} with ${counted(tokens, 'token')} in ${showSeconds((performance.now() - begun) / 1000)}: ${options.output}`,
    );
    return interrupt.exitCode ?? 0;
  } finally {
    display.close();
  }
}

/** The base that `--base` names, or else the one that the adapter names or this project's recipe. */
async function basePath(
  { base, config }: Given,
  adapter: Folder | undefined,
  display: Display,
  command: Command,
): Promise<string> {
  if (base !== undefined) {
    return baseNamed(base);
  }
  const names = [(await readOwnAdapterConfig(adapter))?.baseModelName];
  let found = await firstBase(names);
  const file = config ?? (await projectConfig());
  if (found === undefined && file !== undefined) {
    names.push((await readRecipeFile(file, display)).model.name);
    found = await firstBase(names);
  }
  if (found !== undefined) {
    display.line(`Base: ${found}`);
    return found;
  }
  const named = [...new Set(names.filter((name) => !!name))];
  if (named.length === 0) {
    return command.error("required option '--base <folder>' not specified");
  }
  throw new UserError(
    `retune batch-test: --base is missing, and ${quoteAll(named)} is neither a folder nor in Hugging Face's cache (${hubCacheFolder()}); name the base's folder.`,
  );
}

/** Reports progress by lines, one per twentieth of the questions, and by a bar. */
class TestReport {
  readonly #display: Display;
  readonly #report: RunReport;
  #begun: number | undefined;
  #announced = 0;

  constructor(display: Display) {
    this.#display = display;
    this.#report = new RunReport(display);
  }

  show(event: AskEvent): void {
    if (event.type === 'answering') {
      this.#answering(event.progress);
    } else {
      this.#report.show(event);
    }
  }

  #answering({ answered, questions, tokens }: BatchProgress): void {
    this.#begun ??= performance.now();
    const seconds = (performance.now() - this.#begun) / 1000;
    const speed = tokens > 0 ? [`${showCount(tokens)} tokens`, showSpeed(tokens / seconds)] : [];
    const figures = [`${answered}/${questions}`, ...speed];
    const share = Math.floor((20 * answered) / questions);
    if (share > this.#announced) {
      this.#display.begin(`answered ${figures.join('  ')}`);
    }
    this.#announced = share;
    this.#display.progress({ task: 'answering', done: answered, total: questions, figures });
  }
}

/** The recipe that Retune stored with the adapters it trained. */
async function recipeBeside(adapter: Folder | undefined): Promise<string | undefined> {
  return (await adapter?.open(RECIPE))?.name;
}

/** "2025-01-31 18:05:09". */
function localTime(date: Date): string {
  const two = (n: number) => String(n).padStart(2, '0');
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()].map(two).join('-');
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`;
}
