import { afterAll } from 'vitest';
import { openNodeGpu } from '../../src/cli/node-gpu.ts';
import type { Gpu } from '../../src/gpu/device.ts';
import { runOn, type RunCall, type RunOutcome } from './run-case.ts';

let shared: Promise<Gpu> | undefined;

afterAll(async () => {
  (await shared)?.close();
  shared = undefined;
});

/** Runs a fine-tuning on a device that a test file's runs share: compiling the kernels takes most of a start. */
export async function runOnSharedDevice(call: RunCall): Promise<RunOutcome> {
  return runOn(await (shared ??= openNodeGpu('floor')), call);
}
