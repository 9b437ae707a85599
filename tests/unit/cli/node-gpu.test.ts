import { expect, it } from 'vitest';
import { openNodeGpu } from '../../../src/cli/node-gpu.ts';
import { sumSlices } from '../../../src/gpu/kernels/shared/sum-slices.ts';
import { Profiler } from '../../../src/gpu/profiler.ts';
import { TestGpu } from '../../support/gpu.ts';

it('timestamps are not rounded to the 65,536 ns of a browser', async () => {
  const t = new TestGpu(await openNodeGpu());
  const profiler = new Profiler(t.gpu);
  t.stream.profiler = profiler;
  const [slices, y] = [t.output(4096), t.output(2048)];
  const times: number[] = [];
  for (let i = 0; i < 8; i++) {
    sumSlices(t.stream, { slices, y, count: 2, values: 2048 });
    await t.stream.finish();
    await profiler.finish();
    times.push(Math.round(1e9 * profiler.times.get('sum_slices')!.seconds));
  }
  t.stream.profiler = undefined;
  profiler.close();
  t.close();
  expect(times.at(-1)).toBeGreaterThan(0);
  expect(times.filter((nanoseconds) => nanoseconds % 65_536 !== 0)).not.toEqual([]);
});
