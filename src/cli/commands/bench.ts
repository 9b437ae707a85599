import { type Command, Option } from 'commander';
import { ALL_SECTIONS, bench, BENCH_SECTIONS, type SectionName } from '../../bench/bench.ts';
import { type Compiled, parseCompiled } from '../../bench/compiled.ts';
import type { BenchDisk } from '../../bench/loading.ts';
import { type ModelName, MODELS } from '../../bench/models.ts';
import { plotSvg } from '../../bench/plot.ts';
import { type Report, reportJson, showSection } from '../../bench/report.ts';
import { MAX_BYTES, readText } from '../../formats/read-text.ts';
import { UserError } from '../../formats/user-error.ts';
import { encodeUtf8 } from '../../formats/utf8.ts';
import { PRECISION_CHOICES, type PrecisionChoice } from '../../run/precision.ts';
import { givenBase, syntheticBaseFiles } from '../bench-disk.ts';
import { hostFacts } from '../bench-facts.ts';
import { openDisplay } from '../display.ts';
import { replaceFiles } from '../durable-files.ts';
import { nodeSource } from '../node-files.ts';
import { openNodeGpu } from '../node-gpu.ts';
import { deviceOption, numberOption } from '../options.ts';
import { checkOutputFile } from '../output-file.ts';
import { softwareFallback, yesOption } from '../software-device.ts';
import { table } from '../table.ts';

/** Reads and writes gigabytes, so only on request. */
const LOADING = 'loading';
/** Needs what compilers made of the kernels. */
const FORECAST = 'forecast';

interface Options {
  yes?: boolean;
  model: ModelName[];
  section: (SectionName | typeof LOADING | typeof FORECAST)[];
  precision?: PrecisionChoice[];
  memory?: number;
  isa?: string;
  base?: string;
  layers?: number;
  tokens?: number[];
  rounds: number;
  json?: string;
  plot?: string;
  force?: true;
}

/** `retune bench`: the speed of this device, by kernel and by step. */
export function benchCommand(program: Command): void {
  program
    .command('bench')
    .summary('measure the GPU: its ceilings, the kernels, whole training steps')
    .description(
      `Measures the GPU with random weights at the shapes of real models: first what the device does at most, then each product and each kernel's share of it, then training steps on every precision and decoding in tokens per second. What cannot be measured, as a model that the GPU has no room for, becomes a note. Every figure is the median of several rounds after a warm-up. The section "compile", left out unless named, compiles every pipeline that the model may use, of each variant and precision, and runs none; "host", likewise, measures what a step takes of the CPU, and "forecast" reckons what known cards would take, from what their compilers made of the kernels; where one of them is measured, it stands beside. No file is read, but for the section "loading", which measures how a base comes from the disk and is left out unless named: it writes one of the model's size into the folder for temporary files (TMPDIR), or takes yours.`,
    )
    .addOption(
      new Option('--model <names...>', 'shapes to measure').choices(MODELS).default(['1.5b'] as ModelName[]),
    )
    .addOption(
      new Option('--section <names...>', 'what to measure')
        .choices([...ALL_SECTIONS, LOADING, FORECAST])
        .default([...BENCH_SECTIONS]),
    )
    .addOption(
      new Option(
        '--precision <precisions...>',
        'arithmetic of the steps, as for finetune: one or several; default: all that the GPU offers',
      ).choices(PRECISION_CHOICES),
    )
    .addOption(deviceOption('memory'))
    .option(
      '--isa <file>',
      'the figures of npm run isa, from which steps of known cards are predicted, instead of those that come with this version',
    )
    .option('--base <folder>', 'with --section loading: an existing base, instead of a written one')
    .option(
      '--layers <count>',
      'with --section loading: write only this many layers, with the vocabulary reduced in proportion',
      numberOption({ whole: true, min: 1 }),
    )
    .option(
      '--tokens <counts...>',
      'lengths of the rows of a step',
      (text: string, before: number[] | undefined) => [
        ...(before ?? []),
        numberOption({ whole: true, min: 32 })(text),
      ],
    )
    .option('--rounds <count>', 'rounds of each measurement', numberOption({ whole: true, min: 1 }), 5)
    .option('--json <file>', 'write the figures as JSON too, anew after each table')
    .option('--plot <file>', 'write bars as an SVG picture too, likewise')
    .option('--force', 'measure true shapes and show speeds on a device that computes on the CPU')
    .addOption(yesOption())
    .action(runBench);
}

async function runBench(options: Options): Promise<void> {
  const display = openDisplay();
  const compiled = await compiledBy(options);
  await checkOutputs(options);
  const { rounds } = options;
  const facts = hostFacts();
  for (const [name, value] of Object.entries(facts)) {
    display.line(`${name}: ${value}`);
  }
  const report = await bench({
    // A software device measures a tiny model or counts, unless --force.
    openGpu: () => openNodeGpu('adapter', softwareFallback({ ...options, software: true }, display)),
    models: options.model,
    sections: options.section.filter((name) => name !== LOADING && name !== FORECAST),
    tokens: options.tokens,
    rounds,
    precisions: options.precision,
    memory: options.memory,
    forecast: options.section.includes(FORECAST),
    compiled,
    disks: options.section.includes(LOADING) ? disks(options) : [],
    force: options.force ?? false,
    facts,
    onProgress: (text) => display.progress({ task: text, done: 0, total: 1 }),
    onSection: (section, countsOnly) => {
      display.line('');
      display.line(section.title);
      for (const line of table(showSection(section, countsOnly))) {
        display.line(`  ${line}`);
      }
      for (const note of section.notes) {
        display.line(`  ${note}`);
      }
    },
    onNote: (text) => {
      display.line('');
      display.line(`Note: ${text}`);
    },
    onReport: (found) => write(found, options),
  }).finally(() => display.close());
  display.line('');
  for (const [name, value] of Object.entries(report.facts)) {
    if (!(name in facts)) {
      display.line(`${name}: ${value}`);
    }
  }
  display.line(`median of ${rounds} rounds after a warm-up`);
  if (report.countsOnly) {
    display.line('Note: this device computes on the CPU, so speeds are left out; --force shows them.');
  }
}

/** The compilers' figures, if they are to be read. Throws UserError. */
async function compiledBy({ section, isa }: Options): Promise<Compiled | undefined> {
  if (isa === undefined) {
    return undefined;
  }
  if (!section.some((name) => name === FORECAST || name === 'steps')) {
    throw new UserError('--isa: only --section forecast and steps read the figures of npm run isa; add one.');
  }
  return parseCompiled(await readText(await nodeSource(isa), MAX_BYTES.own, 'figures of npm run isa'), isa);
}

/** Replaces the files with the results so far. */
async function write(report: Report, { json, plot }: Options): Promise<void> {
  const texts: [option: string, string | undefined, string][] = [
    ['--json', json, `${JSON.stringify(reportJson(report), null, 2)}\n`],
    ['--plot', plot, plotSvg(report)],
  ];
  for (const [option, path, text] of texts) {
    if (path !== undefined) {
      await replaceFiles([[path, [encodeUtf8(text)]]], { option });
    }
  }
}

async function checkOutputs({ base, json, plot }: Options): Promise<void> {
  const folders = base === undefined ? [] : [{ what: 'the base model', path: base }];
  if (json !== undefined) {
    await checkOutputFile(json, { what: 'the figures', option: '--json', folders });
  }
  if (plot === undefined) {
    return;
  }
  const files = json === undefined ? [] : [{ what: 'the figures of --json', path: json }];
  await checkOutputFile(plot, { what: 'the picture', option: '--plot', files, folders });
}

function disks({ base, layers, model }: Options): (() => Promise<BenchDisk>)[] {
  if (base !== undefined) {
    return [() => givenBase(base)];
  }
  return model.map((name) => () => syntheticBaseFiles(name, layers));
}
