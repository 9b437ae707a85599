import { readFileSync } from 'node:fs';
import { brotliDecompressSync } from 'node:zlib';
import { afterAll, expect, it, vi } from 'vitest';
import { create, globals } from 'webgpu';
import { pausePolls } from '../../../src/cli/dawn-polls.ts';
import { findSwiftShader } from '../../../src/cli/software-vulkan.ts';
import type { RunRecord } from '../../../src/engine/protocol/protocol.ts';
import { openSafetensors, readTensorF32 } from '../../../src/formats/safetensors.ts';
import type { LogEntry } from '../../../src/formats/trainer-state.ts';
import { openDatabase, replaceEntries } from '../../../src/storage/database.ts';
import { DEFAULT_DEVICE } from '../../support/device-settings.ts';
import { BrowserProfile, chosenInputs, openPage } from '../../support/fault-page.ts';
import { memoryFolder } from '../../support/memory-folder.ts';
import { casePath } from '../../support/model-case.ts';

// What an earlier version stored still opens: tests/fixtures/stored-runs has the database of a page of 2026-11-23
// (commit e4edde0) with the case batch2 twice, once to its end and once killed at step 4 of 7, checkpoint 3 kept. The
// copies of its inputs are left out, since Node clones no File as a browser does.

const entries = JSON.parse(
  brotliDecompressSync(readFileSync('tests/fixtures/stored-runs/2026-11-23.json.br')).toString(),
) as [string, unknown][];

/** Blobs stand in the JSON by their bytes. */
function revive(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(revive);
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  const { $blob, $file, name, type, lastModified } = value as Record<string, string> & {
    lastModified: number;
  };
  if ($file !== undefined) {
    return new File([Buffer.from($file, 'base64')], name!, { lastModified });
  }
  if ($blob !== undefined) {
    return new Blob([Buffer.from($blob, 'base64')], { type: type! });
  }
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, revive(inner)]));
}

async function storedProfile(): Promise<BrowserProfile> {
  const profile = new BrowserProfile();
  await profile.contents();
  const plain = entries.map(([key, value]) => [key, revive(value)] as const);
  await replaceEntries(openDatabase('retune', { factory: profile.databases[0] }), [], plain);
  return profile;
}

/** The page on the software device that all tests use. */
function openOnDevice(profile: BrowserProfile) {
  pausePolls();
  process.env.VK_DRIVER_FILES ??= findSwiftShader();
  const gpu = create([
    'enable-dawn-features=allow_unsafe_apis',
    'disable-dawn-features=timestamp_quantization,use_vulkan_zero_initialize_workgroup_memory_extension',
  ]);
  const page = openPage(profile, undefined, gpu);
  Object.assign(globalThis, globals);
  return page;
}

afterAll(() => vi.unstubAllGlobals());

const named = (runs: readonly RunRecord[], name: string) => runs.find((run) => run.name === name)!;
const resultOf = async (profile: BrowserProfile, id: string): Promise<Record<string, Uint8Array>> => {
  const result = (await profile.contents()).filter(([key]) => key.startsWith(`run/${id}/result/`));
  const files = result.map(async ([key, blob]) => [
    key.split('/').at(-1)!,
    new Uint8Array(await (blob as Blob).arrayBuffer()),
  ]);
  return Object.fromEntries(await Promise.all(files)) as Record<string, Uint8Array>;
};
const logOf = (files: Record<string, Uint8Array>): LogEntry[] =>
  (
    JSON.parse(new TextDecoder().decode(files['trainer_state.json'])) as { log_history: LogEntry[] }
  ).log_history.map((entry) =>
    Object.fromEntries(Object.entries(entry).filter(([key]) => !/runtime|per_second/.test(key))),
  ) as LogEntry[];
const weightsOf = async (files: Record<string, Uint8Array>): Promise<Map<string, Float32Array>> => {
  const folder = memoryFolder('v2', files);
  const { tensors } = await openSafetensors((await folder.open('adapter_model.safetensors'))!);
  const read = [...tensors.values()].map(async (info) => [info.name, await readTensorF32(info)] as const);
  return new Map(await Promise.all(read));
};

it('lists the runs that an earlier version stored', async () => {
  const { runs } = openOnDevice(await storedProfile());
  const list = await runs.list();
  expect(named(list, 'a finished run')).toMatchObject({
    status: 'finished',
    step: 7,
    maxSteps: 7,
    stopped: false,
  });
  const unfinished = named(list, 'an unfinished run');
  expect(unfinished).toMatchObject({
    status: 'unfinished',
    step: 4,
    maxSteps: 7,
    lacks: ['base', 'source', 'train', 'validation'],
  });
  expect(unfinished.checkpoints.map(({ step }) => step)).toEqual([3]);
  expect(unfinished.log.map(({ step }) => step)).toEqual([2, 3, 4]);
});

it('ends a run that an earlier version began where that version would have ended it', async () => {
  const profile = await storedProfile();
  const { runs } = openOnDevice(profile);
  const { id } = named(await runs.list(), 'an unfinished run');
  const inputs = chosenInputs((name) => casePath('batch2', name));
  let resumed: number | undefined;
  const { status } = await runs.resume(id, inputs, DEFAULT_DEVICE, (event) => {
    if (event.type === 'facts') {
      resumed = event.facts.resumedStep;
    }
  });
  expect([status, resumed]).toEqual(['finished', 3]);
  const [found, expected] = await Promise.all(
    ['an unfinished run', 'a finished run'].map(async (name) =>
      resultOf(profile, named(await runs.list(), name).id),
    ),
  );
  const [log, expectedLog] = [logOf(found!), logOf(expected!)];
  expect(log.map((entry) => Object.keys(entry))).toEqual(expectedLog.map((entry) => Object.keys(entry)));
  for (const [i, entry] of log.entries()) {
    for (const [key, value] of Object.entries(entry)) {
      expect(value, `${key} of step ${entry.step}`).toBeCloseTo(expectedLog[i]![key as 'loss']!, 6);
    }
  }
  const [weights, expectedWeights] = [await weightsOf(found!), await weightsOf(expected!)];
  expect([...weights.keys()]).toEqual([...expectedWeights.keys()]);
  for (const [name, values] of weights) {
    const difference = values.map((value, i) => Math.abs(value - expectedWeights.get(name)![i]!));
    expect(Math.max(...difference), name).toBeLessThan(1e-6);
  }
});
