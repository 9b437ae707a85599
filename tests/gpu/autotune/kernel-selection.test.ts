import { beforeAll, expect, it, vi } from 'vitest';
import type { Recipe } from '../../../src/formats/recipe.ts';
import { ATTENTION_CLASSES, ATTENTIONS } from '../../../src/gpu/kernels/attention/index.ts';
import type { RunCursor } from '../../../src/run/checkpoint/checkpoint.ts';
import type { RunEvent } from '../../../src/run/events.ts';
import type { MemoryFiles } from '../../support/memory-folder.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { caseInputs, comparable } from '../../support/run-case.ts';
import { runOnSharedDevice as run } from '../../support/shared-device.ts';

/** One epoch, saved after each step. */
const recipe = (r: Recipe): Recipe => ({
  ...r,
  training: { ...r.training, epochs: 1, saveSteps: 1, saveTotalLimit: 8, evalSteps: 100 },
});
const inputs = async () => ({ ...(await caseInputs('batch2', recipe)), validation: undefined });

const cursorOf = (files: MemoryFiles) =>
  JSON.parse(new TextDecoder().decode(files['retune_state.json'] as Uint8Array)) as RunCursor;

/** A variant that is not the default one. */
const OTHER_ATTENTION = 'f32 32x64 by 8x4';

let whole: MemoryStore;

beforeAll(async () => {
  whole = new MemoryStore();
  await run({ inputs: await inputs(), store: whole });
});

/** The run after its first step, as a device that chose other tiles would have left it. */
function begun(tile: string): MemoryStore {
  const store = new MemoryStore();
  const files = structuredClone(whole.saved.get(1)!);
  const cursor = cursorOf(files);
  const products = Object.keys(cursor.plan.tiles).filter((key) => /^(forward|gradient) /.test(key));
  const attention = ATTENTION_CLASSES.map((part) => [part, OTHER_ATTENTION]);
  const tiles = Object.fromEntries([...products.map((key) => [key, tile]), ...attention]);
  const plan = { ...cursor.plan, tiles };
  store.saved.set(1, { ...files, 'retune_state.json': JSON.stringify({ ...cursor, plan }) });
  return store;
}

/** A run that has its plan ignores what this device would choose. */
const tuning = {
  get: () => expect.fail('the cache was asked'),
  set: () => expect.fail('the cache was told'),
};

it('a run keeps the tiles of its plan, whatever the device would choose now', async () => {
  const alone = begun('f32 32x32x32');
  // Attention tiles give the same bits, so this checks which is called.
  const called = ATTENTION_CLASSES.flatMap((part) =>
    ATTENTIONS[part].map((variant) => [variant.name, vi.spyOn(variant, 'dispatch')] as const),
  );
  expect((await run({ inputs: await inputs(), store: alone, tuning })).status).toBe('finished');
  const tiles = new Set(Object.values(cursorOf(alone.result).plan.tiles));
  expect(tiles).toEqual(new Set(['f32 32x32x32', OTHER_ATTENTION]));
  for (const [name, dispatch] of called) {
    expect(dispatch.mock.calls.length > 0, name).toBe(name === OTHER_ATTENTION);
  }
  // Product tiles sum in different orders, so the plan was really followed.
  const { adapter } = comparable(alone.result);
  expect(adapter).not.toEqual(comparable(whole.result).adapter);
});

it('a run whose plan names a kernel that this device lacks is refused before anything is loaded', async () => {
  const phases: string[] = [];
  const emit = (event: RunEvent) => void (event.type === 'phase' && phases.push(event.phase));
  await expect(run({ inputs: await inputs(), store: begun('f32 128x128x16'), emit })).rejects.toThrow(
    /with a kernel that this GPU or its driver does not offer \(f32 128x128x16\); resume it there, or start a new run\.$/,
  );
  expect(phases).not.toContain('loading the base');
});
