import { openNodeGpu } from '../../src/cli/node-gpu.ts';
import type { Gpu } from '../../src/gpu/device.ts';
import { type RunCall, runOn, type RunOutcome } from './run-case.ts';

let shared: Promise<Gpu> | undefined;

/**
 * The device shared by the test files of a process, because compiling kernels takes most of a start. It is opened
 * with WebGPU's guaranteed limits only (128 MiB per binding, 8 storage buffers, 16 KiB of workgroup memory), so
 * that a kernel which needs more fails. A test that counts compilations, or breaks its device, opens its own.
 */
export function sharedDevice(): Promise<Gpu> {
  return (shared ??= openNodeGpu('floor'));
}

/** Runs a fine-tuning on the shared device. */
export async function runOnSharedDevice(call: RunCall): Promise<RunOutcome> {
  return runOn(await sharedDevice(), call);
}
