import { type Command, Option } from 'commander';
import {
  checkType,
  type Form,
  FORMS,
  type Judge,
  planExport,
  TYPES,
  type WeightType,
} from '../../export/export.ts';
import { lossesOf } from '../../export/losses.ts';
import { type Export, exportBytes } from '../../export/output-file.ts';
import { ONTO, type Onto } from '../../export/weights.ts';
import type { Folder } from '../../formats/byte-source.ts';
import { UserError } from '../../formats/user-error.ts';
import { showSeconds } from '../../formats/words.ts';
import type { Take } from '../../run/take.ts';
import { readOwnAdapterConfig } from '../adapter-config-file.ts';
import { checkApart } from '../apart.ts';
import type { Display } from '../display.ts';
import { checkWritable } from '../durable-files.ts';
import { baseNamed, firstBase } from '../hub-cache.ts';
import { interrupt } from '../interrupt.ts';
import { adapterFolder, nodeFolder, rowsSource } from '../node-files.ts';
import { withGpu } from '../open-gpu.ts';
import { checkOutputFile } from '../output-file.ts';
import { INVOCATION } from '../package-root.ts';
import { RunReport } from '../run-report.ts';
import { addSoftwareOptions, type SoftwareOptions } from '../software-device.ts';
import { outputFiles, taken, takeOption } from '../take-option.ts';
import { checkRoom, checkVacant } from '../write-export.ts';
import { showBytesDone, withOutput } from '../write-output.ts';

interface Options extends SoftwareOptions {
  base?: string;
  model: string;
  take?: Take;
  to: Form | typeof ADAPTER;
  type?: WeightType;
  onto: Onto;
  otherBase?: true;
  valData?: string;
  system?: string;
  output: string;
}

/** The adapter as PEFT loads it: no base is needed for that. */
const ADAPTER = 'adapter';

/** `retune export`: V2 in the forms that other programs load. */
export function exportCommand(program: Command, end: (exitCode: number) => void): void {
  const command = addSoftwareOptions(program.command('export'))
    .summary('put V2 into a form that other programs load')
    .description(
      'Merges an adapter into its base and writes the result for other programs. Tells the size before it writes; base and adapter are never written to.',
    )
    .option(
      '--base <folder>',
      "base model in Hugging Face format, or a name in Hugging Face's cache (default: the one that the adapter names, if it is there)",
    )
    .requiredOption('--model <folder>', 'the PEFT LoRA adapter to export, such as V2 or a checkpoint')
    .addOption(takeOption())
    .addOption(
      new Option(
        '--to <form>',
        "merged: a folder of safetensors that transformers, vLLM and others load; adapter: a step of a run's output as PEFT loads it, with a model card that says which step",
      )
        .choices([...Object.keys(FORMS), ADAPTER])
        .default('merged'),
    )
    .addOption(
      new Option(
        '--type <type>',
        "type of the weights (default: the base's own for merged, q8_0 for gguf and ollama, f32 for gguf-lora)",
      ).choices(TYPES),
    )
    .addOption(
      new Option(
        '--onto <weights>',
        'what to merge onto: the weights of the base, or their NF4 values that training saw',
      )
        .choices(ONTO)
        .default('base'),
    )
    .option(
      '--system <text>',
      "system prompt of an Ollama model (default: the one that all of the run's rows had, otherwise the chat template's)",
    )
    .option(
      '--other-base',
      'accept a base other than the one that the adapter was trained on, if the shapes fit',
    )
    .option(
      '--val-data <file>',
      'rows to evaluate on: tells the loss of the adapter as it was trained and of the merged weights as they are written',
    )
    .requiredOption(
      '--output <path>',
      'where the result goes: a new or an empty folder; for gguf and gguf-lora a file',
    )
    .addHelpText(
      'after',
      `
Examples:
  ${INVOCATION} export --base Qwen2.5-1.5B-Instruct --model v2 --to merged --output merged/
  ${INVOCATION} export --model v2 --take best --to adapter --output v2-best/`,
    )
    .action(async (options: Options) => end(await runExport(options, command)));
}

async function runExport(options: Options, command: Command): Promise<number> {
  const begun = performance.now();
  const { output, to: form } = options;
  return withOutput(output, 'export', async ({ display, checkLock, write }) => {
    const isFile = form !== ADAPTER && FORMS[form].isFile;
    const place = async (...inputs: { what: string; path: string }[]): Promise<void> => {
      const all = [...inputs, { what: 'the adapter', path: options.model }];
      if (options.valData !== undefined) {
        all.push({ what: 'the rows to evaluate on', path: options.valData });
      }
      if (isFile) {
        await checkOutputFile(output, { what: `the ${form} file`, folders: all });
      } else {
        await checkApart(output, all);
        await checkWritable(output);
        await checkVacant(output);
      }
      await checkLock();
    };
    const room = (plan: Export) => checkRoom(output, exportBytes(plan.files));
    const { files, notes, commands = [] } = await planned(options, command, display, { place, room });
    display.close();
    for (const note of notes) {
      display.line(`Note: ${note}`);
    }
    await write(files, isFile ? 'file' : 'folder');
    display.line(`Written in ${showSeconds((performance.now() - begun) / 1000)}: ${output}`);
    if (commands.length > 0) {
      display.line(`Run it from there: ${commands.join(' && ')}`);
    }
    if (form === 'gguf') {
      display.line(
        'For LM Studio, put the file into ~/.lmstudio/models/<publisher>/<model>/, two folders of any name.',
      );
    }
  });
}

/** How the output is checked. */
interface Checks {
  /** Against what is read. */
  place: (...inputs: { what: string; path: string }[]) => Promise<void>;
  /** Whether there is room for it. */
  room: (plan: Export) => Promise<void>;
}

/** What to write. Throws UserError. */
async function planned(
  { to: form, take, ...options }: Options,
  command: Command,
  display: Display,
  { place, room }: Checks,
): Promise<Export> {
  if (form === ADAPTER) {
    if (options.valData !== undefined) {
      throw new UserError(
        'retune export: an adapter is not merged, so --val-data has nothing to compare; leave it out.',
      );
    }
    await place();
    const chosen = await taken(options.model, take ?? 'last');
    return { files: outputFiles(chosen), notes: [`taken from step ${chosen.step}`] };
  }
  const { type, onto, system, otherBase = false } = options;
  checkType(form, type);
  const adapter: Folder =
    take === undefined ? await adapterFolder(options.model) : (await taken(options.model, take)).folder;
  const basePath =
    options.base === undefined
      ? await firstBase([(await readOwnAdapterConfig(adapter))?.baseModelName])
      : await baseNamed(options.base);
  if (basePath === undefined) {
    return command.error("required option '--base <folder>' not specified");
  }
  await place({ what: 'the base model', path: basePath });
  const base = await nodeFolder(basePath);
  const onProgress = (done: number, total: number) => showBytesDone(display, 'hashing', done, total);
  const judge = options.valData === undefined ? undefined : await judging(options, display, room);
  return planExport({ base, adapter, form, type, onto, otherBase, system, onProgress, judge });
}

/** Evaluates what is exported on the rows of --val-data. Throws UserError. */
async function judging(
  options: Omit<Options, 'to' | 'take'>,
  display: Display,
  room: Checks['room'],
): Promise<Judge> {
  const rows = await rowsSource(options.valData!);
  const report = new RunReport(display);
  const { signal } = interrupt;
  return async (source, storedAs, plan) => {
    // Better before minutes of evaluating than after them.
    await room(plan);
    return lossesOf(source, storedAs, {
      rows,
      withGpu: (work) =>
        withGpu(display, { remedy: 'run the same command again', options }, async (open) =>
          work(await open()),
        ),
      emit: (event) => {
        signal.throwIfAborted();
        report.show(event);
      },
      signal,
    });
  };
}
