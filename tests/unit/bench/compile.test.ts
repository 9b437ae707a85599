import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { create, globals } from 'webgpu';
import { measureCompile } from '../../../src/bench/compile.ts';
import { type Gpu, openDevice } from '../../../src/gpu/device.ts';

Object.assign(globalThis, globals);

/** A device that computes nothing: it has the compiler of Chrome up to the driver's. */
const instance = create(['backend=null']);
let gpu: Gpu;
beforeEach(async () => {
  gpu = await openDevice((await instance.requestAdapter())!);
});
afterEach(() => gpu.close());

it('compiles every pipeline, and says how long each took', async () => {
  const submit = vi.spyOn(gpu.device.queue, 'submit');
  const told: string[] = [];
  const { rows, columns, notes } = await measureCompile(gpu, '1.5b', (text) => told.push(text));
  expect(columns).toEqual(['pipeline', 'constants', 'ms']);
  expect(rows.length).toBeGreaterThan(60);
  expect(rows.filter(([, , ms]) => typeof ms !== 'number')).toEqual([]);
  expect(told).toHaveLength(rows.length);
  expect(notes[0]).toMatch(`${rows.length} of ${rows.length} compiled`);
  expect(submit).not.toHaveBeenCalled();
});

it('gives the reason where a pipeline does not compile', async () => {
  const compile = gpu.device.createComputePipelineAsync.bind(gpu.device);
  vi.spyOn(gpu.device, 'createComputePipelineAsync').mockImplementation((descriptor) =>
    descriptor.label === 'argmax'
      ? Promise.reject(new Error('too many registers.\nlog'))
      : compile(descriptor),
  );
  const { rows, notes } = await measureCompile(gpu, 'tiny', () => undefined);
  expect(rows.filter(([, , ms]) => typeof ms !== 'number')).toEqual([['argmax', '', 'too many registers']]);
  expect(notes[0]).toMatch(`${rows.length - 1} of ${rows.length} compiled`);
});
