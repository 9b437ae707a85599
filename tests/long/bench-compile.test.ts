import { expect, it, vi } from 'vitest';
import { bench } from '../../src/bench/bench.ts';
import { openNodeGpu } from '../../src/cli/node-gpu.ts';
import type { Gpu } from '../../src/gpu/device.ts';

it('compiles every pipeline of a model on the device, and runs none', async () => {
  const submits: (() => number)[] = [];
  const report = await bench({
    openGpu: async (): Promise<Gpu> => {
      const gpu = await openNodeGpu();
      const submit = vi.spyOn(gpu.device.queue, 'submit');
      submits.push(() => submit.mock.calls.length);
      return gpu;
    },
    ...{ models: ['tiny'], sections: ['compile'], rounds: 1, force: false, facts: {} },
    onProgress: () => undefined,
    onSection: () => undefined,
    onNote: (text) => expect.fail(text),
  });
  expect(report.notes).toEqual([]);
  expect(report.sections.map(({ name }) => name)).toEqual(['compile']);
  const { rows } = report.sections[0]!;
  expect(rows.length).toBeGreaterThan(50);
  expect(rows.filter(([, , ms]) => typeof ms !== 'number')).toEqual([]);
  expect(submits.length).toBeGreaterThan(0);
  expect(submits.map((count) => count())).toEqual(submits.map(() => 0));
});
