import { UserError } from '../formats/user-error.ts';
import { dryGpu } from '../gpu/dry.ts';
import type { Gpu } from '../gpu/device.ts';
import { Stream } from '../gpu/stream.ts';
import { plainPass } from '../run/dry-run.ts';
import { newRunPlan } from '../run/run-plan.ts';
import type { PrecisionChoice } from '../run/precision.ts';
import { measureCeilings } from './ceilings.ts';
import { countStep } from './counts.ts';
import { benchInputs, modelTitle, type ModelName } from './models.ts';
import { measureLoading, type BenchDisk } from './loading.ts';
import { measureProducts } from './products.ts';
import type { Report, Section } from './report.ts';
import { measureSteps } from './steps.ts';

export const SECTIONS = ['counts', 'ceilings', 'products', 'steps'] as const;
export type SectionName = (typeof SECTIONS)[number];

export interface BenchCall {
  /** Each opened device is closed again. */
  openGpu: () => Promise<Gpu>;
  models: readonly ModelName[];
  sections: readonly SectionName[];
  /** Lengths of the single rows that steps are measured at. */
  tokens: readonly number[];
  rounds: number;
  /** The rung of the steps; the one that a run would take unless told. */
  precision?: PrecisionChoice;
  /** Bases whose way from the disk to the device is measured too. */
  disks?: readonly (() => Promise<BenchDisk>)[];
  /** Measure true shapes and show speeds also where the device computes on the CPU. */
  force: boolean;
  /** What is being measured. */
  onProgress: (text: string) => void;
  /** Each table as soon as it is whole. */
  onSection: (section: Section, countsOnly: boolean) => void;
}

/** Rows of the products. */
const ROWS = 1024;

/** Measures a device. Throws UserError where the device computes on the CPU and true shapes are asked for. */
export async function bench(call: BenchCall): Promise<Report> {
  const { models, sections, tokens, rounds, precision = 'auto', disks = [], onProgress } = call;
  const found: Section[] = [];
  let countsOnly = false;
  const add = (section: Section) => {
    found.push(section);
    call.onSection(section, countsOnly);
  };
  // Counts need WebGPU's constants, which come with a device.
  const gpu = await call.openGpu();
  const facts = deviceFacts(gpu);
  try {
    countsOnly = gpu.software && !call.force;
    const measured = sections.some((name) => name !== 'counts');
    const large = models.find((name) => name !== 'tiny');
    if (countsOnly && (measured || disks.length > 0) && large)
      throw new UserError(
        `${gpu.name} computes on the CPU: its speeds say nothing about a GPU, and a step of ${modelTitle(large)} takes it an hour; measure --model tiny, or --section counts, or say --force.`,
      );
    if (sections.includes('counts')) for (const name of models) add(await countModel(name, tokens));
    for (const open of disks) add(await onDisk(open, call));
    if (!measured) return { facts, countsOnly, sections: found };
    onProgress('ceilings');
    const stream = new Stream(gpu);
    const { ceilings, section } = await measureCeilings(stream, rounds, gpu.software);
    add(section);
    for (const name of models) {
      const shape = { rows: name === 'tiny' ? 64 : ROWS, rank: 32 };
      if (sections.includes('products'))
        add(await measureProducts(stream, name, { ...shape, rounds, ceilings, onProgress }));
    }
    const steps = { tokens, precision, rounds, onProgress };
    if (sections.includes('steps'))
      for (const name of models) {
        const own = await call.openGpu();
        try {
          for (const table of await measureSteps(own, name, { ...steps, ceilings })) add(table);
          if (own.errors.length > 0) throw new Error(own.errors.join('; '));
        } finally {
          own.close();
        }
      }
    if (gpu.errors.length > 0) throw new Error(gpu.errors.join('; '));
    return { facts, countsOnly, sections: found };
  } finally {
    gpu.close();
  }
}

async function onDisk(open: () => Promise<BenchDisk>, call: BenchCall): Promise<Section> {
  call.onProgress('loading: preparing the base');
  const disk = await open();
  try {
    return await measureLoading(disk, call);
  } finally {
    await disk.close();
  }
}

/** What a step is made of, at WebGPU's floor of limits and features. */
async function countModel(name: ModelName, lengths: readonly number[]): Promise<Section> {
  const rows = [];
  for (const tokens of lengths) {
    const inputs = benchInputs(name, tokens, tokens);
    const counts = await countStep(inputs, newRunPlan(dryGpu(), tokens, tokens), [plainPass(tokens)]);
    const { forward, backward, recompute, dispatches, bytes, gpuBytes } = counts;
    const perToken = (work: number) => work / tokens / 1e9;
    rows.push([
      `1 row of ${tokens}`,
      dispatches,
      perToken(forward),
      perToken(backward),
      perToken(recompute),
      perToken(forward + backward + recompute),
      bytes / 1e9,
      gpuBytes / 2 ** 20,
    ]);
  }
  return {
    name: 'counts',
    title: `A step of ${modelTitle(name)}, counted: GFLOP per token`,
    columns: ['', 'dispatches', 'forward', 'backward', 'recompute', 'all', 'GB bound', 'GPU MiB'],
    rows,
    notes: ['GB bound: the sizes of all buffer ranges of all dispatches.'],
  };
}

function deviceFacts(gpu: Gpu): Record<string, string | number> {
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
