import { quote } from '../formats/quote.ts';
import { UserError } from '../formats/user-error.ts';
import { showBytes } from '../formats/words.ts';
import { supports } from '../gpu/autotune/kernel-selection.ts';
import type { Gpu } from '../gpu/device.ts';
import { freeMemory } from '../gpu/free-memory.ts';
import { MATRIX_FEATURE, SIZE_FEATURE } from '../gpu/subgroup-matrices.ts';
import { DEFAULT_BUDGET_BYTES } from './plan/memory-choice.ts';
import { type Here, unlockRemedies } from './unlock-remedies.ts';

/** One line of a diagnosis. Holds no path and no name of the user's, so that it can be copied into a bug report. */
export interface Finding {
  readonly what: string;
  readonly found: string;
  /** What to do; empty or undefined where all is well. */
  readonly remedies?: readonly string[];
}

/** More than a run of the recipe's model takes. */
const MAX_MEASURED_BYTES = 8 * 2 ** 30;
/** What a run of the recipe's model with rows of 2048 tokens takes at least. */
const ENOUGH_MEMORY_BYTES = 2134 * 2 ** 20;
/**
 * Architectures without units for matrix products, as Dawn names them: Radeon before RDNA3, GeForce before Turing,
 * Intel before Xe-HPG.
 */
const NO_MATRIX_UNITS = /^(gcn-\d|rdna-[12]|maxwell|pascal|gen-\d+|gen-12lp)$/;
/** Intel's GPUs in a processor; its cards are gen-12hp and xe-2hpg. */
const INTEL_CARD = /hp/;

/** The report as text, for a terminal and for a bug report. */
export const reportText = (findings: readonly Finding[]): string => findings.flatMap(findingLines).join('\n');

/** A finding as lines of that text. */
export function findingLines({ what, found, remedies = [] }: Finding): string[] {
  const mark = remedies.length === 0 ? '  ok' : 'look';
  return [`${mark}  ${what}: ${found}`, ...remedies.map((remedy) => `      → ${remedy}`)];
}

/** What kept the diagnosis from going on: a problem with its remedy or, if it is not Retune's, the driver's failure. */
export function problemFinding(what: string, error: unknown, more: readonly string[] = []): Finding {
  if (!(error instanceof UserError)) {
    const said = quote(error instanceof Error ? error.message : String(error));
    const remedies = ['update the graphics driver, or install it again', ...more];
    return { what, found: `the driver failed: ${said}`, remedies };
  }
  const remedy = error.message.slice(error.what.length + 2).replace(/\.$/, '');
  return { what, found: error.what, remedies: [...(remedy ? [remedy] : []), ...more] };
}

/** What a device is, what it offers, and which precisions can run on it. */
export function diagnoseDevice(gpu: Gpu, here: Here): Finding[] {
  const { vendor, architecture, device, description } = gpu.device.adapterInfo;
  const { limits, features } = gpu.device;
  // Dawn in Node tells the device's name with dashes, Chrome with its developer features a number.
  const name = device && !device.startsWith('0x') ? device.replaceAll('-', ' ').trim() : gpu.name;
  const family = [vendor, architecture].filter(Boolean);
  return [
    {
      what: 'GPU',
      found: name === family.join(' ') || family.length === 0 ? name : `${name} (${family.join(', ')})`,
      remedies: otherGpu(gpu, here),
    },
    { what: 'driver', found: description || 'its version is not told' },
    { what: 'features', found: [...features].toSorted().join(', ') || 'none' },
    {
      what: 'limits',
      found: `buffers of ${showBytes(limits.maxBufferSize)}, bindings of ${showBytes(limits.maxStorageBufferBindingSize)}, ${limits.maxStorageBuffersPerShaderStage} storage buffers, ${showBytes(limits.maxComputeWorkgroupStorageSize)} of workgroup memory`,
    },
    { what: 'precision f32', found: 'runs' },
    f16Finding(gpu, here),
    matrixFinding(gpu, here),
  ];
}

/** Where a faster GPU may be had than the one that was given. */
function otherGpu(gpu: Gpu, here: Here): string[] {
  const { vendor, architecture } = gpu.device.adapterInfo;
  if (gpu.software) {
    return here.door === 'node'
      ? ["it computes on the CPU: correct, but very slow; install the GPU's driver if there is a GPU"]
      : [
          'it computes on the CPU: correct, but hundreds of times slower than a GPU',
          ...browserGpuRemedies(here),
        ];
  }
  if (
    here.door === 'browser' &&
    here.system === 'windows' &&
    vendor === 'intel' &&
    !INTEL_CARD.test(architecture)
  ) {
    return [
      "this GPU is part of the processor; if the PC has a faster one, choose it for the browser in Windows' Settings → System → Display → Graphics (High performance), or set chrome://flags/#force-high-performance-gpu to Enabled, and restart the browser",
    ];
  }
  return [];
}

/** What to do where a browser gives no hardware GPU. */
export const browserGpuRemedies = (here: Here): string[] => [
  'turn on "Use graphics acceleration when available" in chrome://settings/system, update the graphics driver and restart the browser; chrome://gpu says under Problems Detected what it refused and why',
  ...unlockRemedies(here),
];

function f16Finding(gpu: Gpu, here: Here): Finding {
  const what = 'precision f16';
  if (supports(gpu, 'f16')) {
    return { what, found: 'runs' };
  }
  const found = 'does not run: the device offers no shader-f16';
  const { features, adapterInfo } = gpu.device;
  const remedies = unlockRemedies(here, { vendor: adapterInfo.vendor, features }, ['shader-f16']);
  return { what, found, remedies: gpu.software ? [] : orDriver(remedies, 'f16 trains in f32') };
}

function matrixFinding(gpu: Gpu, here: Here): Finding {
  const what = 'precision matrix';
  const { features, adapterInfo } = gpu.device;
  if (gpu.matrix) {
    const { shapes, subgroupSize } = gpu.matrix;
    const sizes = shapes.map(({ M, N, K }) => `${M}×${N}×${K}`).join(', ');
    return { what, found: `runs: ${sizes}, subgroups of ${subgroupSize}` };
  }
  if (gpu.software || NO_MATRIX_UNITS.test(adapterInfo.architecture)) {
    return { what, found: `does not run: this ${gpu.software ? 'device' : 'GPU'} has no units for it` };
  }
  const missing = [MATRIX_FEATURE, 'shader-f16', 'subgroups'].filter((name) => !features.has(name));
  const found = missing.length
    ? `does not run: the device offers no ${missing.join(', ')}`
    : `does not run: none of its shapes suits the kernels, or its subgroups have several sizes and there is no ${SIZE_FEATURE}`;
  const remedies = unlockRemedies(here, { vendor: adapterInfo.vendor, features }, [
    'subgroups',
    SIZE_FEATURE,
    MATRIX_FEATURE,
  ]);
  return { what, found, remedies: orDriver(remedies, 'subgroup matrices trains in f16 or f32') };
}

const orDriver = (remedies: readonly string[], otherwise: string): readonly string[] =>
  remedies.length > 0 ? remedies : [`update the graphics driver; a GPU without ${otherwise}`];

/** How much of the GPU's memory a run could use: measured, so that no run may be active. */
export async function diagnoseMemory(gpu: Gpu): Promise<Finding> {
  const what = 'free GPU memory';
  if (gpu.software) {
    return { what, found: "the machine's own memory" };
  }
  const wanted = { most: MAX_MEASURED_BYTES, ofHost: DEFAULT_BUDGET_BYTES };
  const bytes = await freeMemory(gpu, wanted, () => undefined);
  return {
    what,
    found: bytes >= MAX_MEASURED_BYTES ? `${showBytes(bytes)} or more` : showBytes(bytes),
    ...(bytes < ENOUGH_MEMORY_BYTES && {
      remedies: ['close other programs and tabs that use the GPU; the memory plan says what a run takes'],
    }),
  };
}
