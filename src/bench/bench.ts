import { UserError } from '../formats/user-error.ts';
import { supports } from '../gpu/autotune/kernel-selection.ts';
import type { Gpu } from '../gpu/device.ts';
import { type Precision, PRECISIONS } from '../gpu/kernels/linear/nf4-variant.ts';
import { Stream } from '../gpu/stream.ts';
import { choosePrecision } from '../run/choose-kernels.ts';
import type { PrecisionChoice } from '../run/precision.ts';
import { DeviceLostError, Devices } from './attempts.ts';
import { measureAttention } from './attention.ts';
import { type Ceilings, measureCeilings } from './ceilings.ts';
import { measureCompile } from './compile.ts';
import { type Compiled, shippedCompiled } from './compiled.ts';
import { countAnswers } from './count-answers.ts';
import { countModel } from './count-models.ts';
import { measureDecoding } from './decoding.ts';
import { forecastModel } from './forecast-steps.ts';
import { measureHost } from './host.ts';
import { type BenchDisk, measureLoading } from './loading.ts';
import { type ModelName, modelTitle, modelTokens } from './models.ts';
import { measureProducts } from './products.ts';
import type { Report, ReportSection } from './report.ts';
import { measureSteps, stepGroups } from './steps.ts';

/** What is measured unless other sections are named. */
export const BENCH_SECTIONS = ['counts', 'ceilings', 'products', 'steps', 'decoding'] as const;
/** Compiling is for looking at what a compiler does, host time for looking at this program's own: on request only. */
export const ALL_SECTIONS = [...BENCH_SECTIONS, 'compile', 'host'] as const;
export type SectionName = (typeof ALL_SECTIONS)[number];

/** Sections that run no kernel on a device that computes on the CPU. */
const UNMEASURED: readonly SectionName[] = ['counts', 'compile', 'host'];

export interface BenchCall {
  /** Opens a device; each one opened is closed again. */
  openGpu: () => Promise<Gpu>;
  models: readonly ModelName[];
  sections: readonly SectionName[];
  /** Lengths of the single rows in steps; by default each model's own. */
  tokens?: readonly number[] | undefined;
  rounds: number;
  /** Precisions of the steps; by default the one that a run would choose and all below it. */
  precisions?: readonly PrecisionChoice[] | undefined;
  /** Bytes that the steps may take; by default what a run may. */
  memory?: number | undefined;
  /** Bases whose loading from disk to device is also measured. */
  disks?: readonly (() => Promise<BenchDisk>)[];
  /** Whether to forecast steps of known cards. */
  forecast?: boolean;
  /** What compilers made of the kernels; by default what comes with the program. */
  compiled?: Compiled | undefined;
  /** Measure real shapes, and show speeds, even if the device computes on the CPU. */
  force: boolean;
  /** Facts about the program and this call, for the report. */
  facts: Record<string, string | number>;
  /** Called with what is being measured. */
  onProgress: (text: string) => void;
  /** Called with each table once complete. */
  onSection: (section: ReportSection, countsOnly: boolean) => void;
  /** Called with what could not be measured, and why. */
  onNote: (text: string) => void;
  /** Called with the report so far, after each table and note. */
  onReport?: (report: Report) => Promise<void>;
}

/** Rows of the products, and tokens of attention. */
const ROWS = 1024;

/** Without measured ceilings, shares of them are omitted. */
const NO_CEILINGS: Ceilings = { work: NaN, bytes: NaN, matrix: undefined };

/**
 * Measures a device. What cannot be measured becomes a note. Throws UserError if the device computes on the CPU and
 * real shapes are requested, and DeviceLostError if it is lost.
 */
export async function bench(call: BenchCall): Promise<Report> {
  const { models, sections, rounds, memory, disks = [], onProgress } = call;
  const devices = new Devices(call.openGpu);
  const { facts, precisions, software } = await look(devices, call);
  const report: Report = { facts, countsOnly: software && !call.force, sections: [], notes: [] };
  const attempt = async (what: string, tables: AsyncGenerator<ReportSection>): Promise<void> => {
    try {
      for await (const section of tables) {
        report.sections.push(section);
        call.onSection(section, report.countsOnly);
        await call.onReport?.(report);
      }
    } catch (error) {
      const text = `${what}: ${error instanceof Error ? error.message : String(error)}`;
      report.notes.push(text);
      const goesOn = error instanceof UserError && !(error instanceof DeviceLostError);
      if (goesOn) {
        call.onNote(text);
      }
      await call.onReport?.(report);
      if (!goesOn) {
        throw error;
      }
    }
  };
  const each = async (
    section: SectionName,
    measure: (name: ModelName) => AsyncGenerator<ReportSection>,
  ): Promise<void> => {
    if (!sections.includes(section)) {
      return;
    }
    for (const name of models) {
      await attempt(`${section} of ${modelTitle(name)}`, measure(name));
    }
  };
  const tokensOf = (name: ModelName) => call.tokens ?? modelTokens(name);

  await each('counts', async function* (name) {
    yield await countModel(name, tokensOf(name), memory);
    yield await countAnswers(name);
  });
  const { compiled } = call;
  if (call.forecast) {
    const figures = compiled ?? (await shippedCompiled());
    for (const name of models) {
      await attempt(
        `forecast of ${modelTitle(name)}`,
        forecastModel(figures, name, tokensOf(name), onProgress),
      );
    }
  }
  for (const open of disks) {
    await attempt('loading', onDisk(open, devices, call));
  }
  await each('compile', (name) =>
    devices.tables(async function* (gpu) {
      yield await measureCompile(gpu, name, onProgress);
    }),
  );
  await each('host', (name) =>
    devices.tables(async function* (gpu) {
      yield await measureHost(gpu, name, rounds, onProgress);
    }),
  );
  if (sections.every((name) => UNMEASURED.includes(name))) {
    return report;
  }
  let ceilings = NO_CEILINGS;
  await attempt(
    'ceilings',
    devices.tables(async function* (gpu) {
      onProgress('ceilings');
      const found = await measureCeilings(new Stream(gpu), rounds, gpu.software);
      yield found.section;
      ceilings = found.ceilings;
    }),
  );
  await each('products', (name) =>
    devices.tables(async function* (gpu) {
      const rows = name === 'tiny' ? 64 : ROWS;
      const stream = new Stream(gpu);
      yield await measureProducts(stream, name, { rows, rank: 32, rounds, ceilings, onProgress });
      yield await measureAttention(stream, name, { rows, rounds, ceilings, onProgress });
    }),
  );
  if (sections.includes('steps')) {
    for (const name of models) {
      for (const precision of precisions) {
        for (const group of stepGroups(name, tokensOf(name))) {
          await attempt(
            `${modelTitle(name)}, ${precision}, ${group.title}`,
            devices.tables((gpu) =>
              measureSteps(gpu, name, group, { precision, memory, rounds, ceilings, compiled, onProgress }),
            ),
          );
        }
      }
    }
  }
  await each('decoding', (name) =>
    devices.tables(async function* (gpu) {
      onProgress(`${modelTitle(name)}: decoding`);
      yield await measureDecoding(gpu, name, rounds);
    }),
  );
  return report;
}

/** Checks the device first. Throws UserError if it should not be measured. */
async function look(
  devices: Devices,
  { models, sections, precisions, disks = [], force, facts }: BenchCall,
): Promise<{ facts: Report['facts']; precisions: Precision[]; software: boolean }> {
  // Counting needs WebGPU's constants, which come with a device.
  const gpu = await devices.open();
  try {
    const { name, software } = gpu;
    const measured = sections.some((section) => !UNMEASURED.includes(section)) || disks.length > 0;
    const large = models.find((model) => model !== 'tiny');
    if (software && !force && measured && large) {
      throw new UserError(
        `${name} computes on the CPU: its speeds say nothing about a GPU, and a step of ${modelTitle(large)} takes it an hour; measure --model tiny, or --section counts, compile or host, or say --force.`,
      );
    }
    return { facts: { ...facts, ...deviceFacts(gpu) }, precisions: precisionsOf(gpu, precisions), software };
  } finally {
    gpu.close();
  }
}

/** The precisions to measure, without duplicates. */
export function precisionsOf(gpu: Gpu, asked?: readonly PrecisionChoice[]): Precision[] {
  const auto = choosePrecision(gpu, 'auto');
  if (asked) {
    return [...new Set(asked.map((choice) => (choice === 'auto' ? auto : choice)))];
  }
  return PRECISIONS.slice(0, PRECISIONS.indexOf(auto) + 1)
    .filter((precision) => supports(gpu, precision))
    .toReversed();
}

async function* onDisk(
  open: () => Promise<BenchDisk>,
  devices: Devices,
  { rounds, onProgress }: BenchCall,
): AsyncGenerator<ReportSection> {
  onProgress('loading: preparing the base');
  const disk = await open();
  try {
    yield await devices.unlessLost(measureLoading(disk, { openGpu: devices.open, rounds, onProgress }));
  } finally {
    await disk.close();
  }
}

function deviceFacts(gpu: Gpu): Report['facts'] {
  const { vendor, architecture, device, description } = gpu.device.adapterInfo;
  const { maxBufferSize, maxComputeWorkgroupStorageSize, maxStorageBuffersPerShaderStage } =
    gpu.device.limits;
  return {
    gpu: gpu.name,
    vendor,
    architecture,
    device,
    driver: description,
    features: [...gpu.device.features].toSorted().join(', '),
    maxBufferSize,
    maxComputeWorkgroupStorageSize,
    maxStorageBuffersPerShaderStage,
  };
}
