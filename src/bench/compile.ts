import type { Gpu } from '../gpu/device.ts';
import { type ModelName, modelTitle } from './models.ts';
import { modelPipelines } from './pipelines.ts';
import type { Cell, ReportSection } from './report.ts';

/**
 * Compiles, one after the other, every pipeline that a model may use on the device; dispatches nothing. A pipeline
 * that does not compile has the reason instead of its time.
 */
export async function measureCompile(
  gpu: Gpu,
  name: ModelName,
  onProgress: (text: string) => void,
): Promise<ReportSection> {
  const pipelines = await modelPipelines(gpu, name);
  const rows: Cell[][] = [];
  let failed = 0;
  const begun = performance.now();
  for (const { label, kernel, constants } of pipelines) {
    onProgress(`compiling ${label}, ${rows.length + 1} of ${pipelines.length}`);
    const start = performance.now();
    const reason = await kernel.tryCompile(gpu, constants);
    const ms = Number((performance.now() - start).toFixed(1));
    failed += Number(reason !== undefined);
    rows.push([label, constantsText(constants), reason ?? ms]);
  }
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  return {
    name: 'compile',
    title: `Pipelines of ${modelTitle(name)}: every variant of every precision that this device offers`,
    columns: ['pipeline', 'constants', 'ms'],
    rows,
    notes: [
      `${pipelines.length - failed} of ${pipelines.length} compiled in ${seconds} s, one after the other; none was run. The time includes the driver's cache of compiled shaders, where it has one.`,
    ],
  };
}

const constantsText = (constants: Readonly<Record<string, number>>): string =>
  Object.entries(constants)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
