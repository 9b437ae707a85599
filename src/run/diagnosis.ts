import { showBytes } from '../formats/words.ts';
import { supports } from '../gpu/autotune/kernel-selection.ts';
import type { Gpu } from '../gpu/device.ts';
import { MATRIX_FEATURE, SIZE_FEATURE } from '../gpu/subgroup-matrices.ts';

/** One line of a diagnosis. Holds no path and no name of the user's, so that it can be copied into a bug report. */
export interface Finding {
  readonly what: string;
  readonly found: string;
  /** What to do; undefined where all is well. */
  readonly remedy?: string;
}

/** What a device is, what it offers, and which precisions can run on it. */
export function diagnoseDevice(gpu: Gpu): Finding[] {
  const { vendor, architecture, description } = gpu.device.adapterInfo;
  const { limits, features } = gpu.device;
  return [
    {
      what: 'GPU',
      found: gpu.name,
      ...(gpu.software && {
        remedy: "it computes on the CPU: correct, but very slow; install the GPU's driver if there is a GPU",
      }),
    },
    {
      what: 'driver',
      found: [description, vendor, architecture].filter(Boolean).join(', ') || 'not told',
    },
    { what: 'features', found: [...features].toSorted().join(', ') || 'none' },
    {
      what: 'limits',
      found: `buffers of ${showBytes(limits.maxBufferSize)}, bindings of ${showBytes(limits.maxStorageBufferBindingSize)}, ${limits.maxStorageBuffersPerShaderStage} storage buffers, ${showBytes(limits.maxComputeWorkgroupStorageSize)} of workgroup memory`,
    },
    ...precisions(gpu),
  ];
}

function precisions(gpu: Gpu): Finding[] {
  const missing = (names: readonly string[]) =>
    names.filter((name) => !gpu.device.features.has(name)).join(', ');
  const found: Finding[] = [{ what: 'precision f32', found: 'runs' }];
  if (supports(gpu, 'f16')) {
    found.push({ what: 'precision f16', found: 'runs' });
  } else {
    found.push({
      what: 'precision f16',
      found: `does not run: the device offers no shader-f16`,
      ...(!gpu.software && { remedy: 'update the driver; a GPU without f16 trains in f32' }),
    });
  }
  const what = 'precision matrix';
  if (gpu.matrix) {
    const { shapes, subgroupSize } = gpu.matrix;
    const sizes = shapes.map(({ M, N, K }) => `${M}×${N}×${K}`).join(', ');
    return [...found, { what, found: `runs: ${sizes}, subgroups of ${subgroupSize}` }];
  }
  const lacking = missing([MATRIX_FEATURE, 'shader-f16', 'subgroups']);
  const why = lacking
    ? `the device offers no ${lacking}`
    : `none of its shapes suits the kernels, or its subgroups have several sizes and there is no ${SIZE_FEATURE}`;
  return [
    ...found,
    {
      what,
      found: `does not run: ${why}`,
      ...(!gpu.software && {
        remedy: 'update the driver; a GPU without subgroup matrices trains in f16 or f32',
      }),
    },
  ];
}
