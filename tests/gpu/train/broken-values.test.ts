import { describe, expect, it } from 'vitest';
import { openBaseModel } from '../../../src/formats/base-model.ts';
import { allocateBase } from '../../../src/model/base/allocate.ts';
import { loadBase } from '../../../src/model/base/load.ts';
import { baseTensors } from '../../../src/model/base/read/ingest.ts';
import { Upload } from '../../../src/model/base/read/upload.ts';
import { changedTensors, withBits } from '../../support/changed-tensors.ts';
import { testGpu } from '../../support/gpu.ts';
import { fixtureFiles, memoryFolder } from '../../support/memory-folder.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import type { CaseName } from '../../support/model-case.ts';
import { caseInputs } from '../../support/run-case.ts';
import { runOnSharedDevice } from '../../support/shared-device.ts';

const NAN = { F32: 0x7fc00000, BF16: 0x7fc0, F16: 0x7e00 };
const INFINITY = { F32: 0xff800000, BF16: 0xff80, F16: 0xfc00 };

describe('a base with a value that is not finite is refused while it is loaded', () => {
  it.each<[CaseName, string, string, typeof NAN, number, string]>([
    ['recipe_text', 'a dense weight', 'model.layers.1.mlp.up_proj.weight', NAN, 40_001, '312, 65'],
    ['recipe_text', 'a dense weight', 'model.layers.0.self_attn.o_proj.weight', INFINITY, 0, '0, 0'],
    ['recipe_text', 'the embedding', 'model.embed_tokens.weight', INFINITY, 1, '0, 1'],
    ['recipe_text', 'a norm', 'model.norm.weight', NAN, 127, '127'],
    ['recipe_text', 'a bias', 'model.layers.0.self_attn.k_proj.bias', NAN, 3, '3'],
    ['prequant', 'scales of scales', 'model.layers.0.self_attn.q_proj.weight.nested_absmax', NAN, 0, '0'],
    ['dynamic', 'a weight kept in 16 bits', 'model.layers.0.self_attn.k_proj.weight', NAN, 129, '1, 33'],
  ])('%s: %s', async (name, _, tensor, bits, at, index) => {
    const { gpu } = await testGpu();
    const files = await changedTensors(fixtureFiles(`cases/${name}/base`), 'model.safetensors', (t) =>
      t.name === tensor ? withBits(t, at, bits[t.dtype as keyof typeof bits]) : t,
    );
    const sentence = `base/model.safetensors: ${tensor} holds a value that is not finite at [${index}], expected numbers; download the base again.`;
    const model = await openBaseModel(memoryFolder('base', files));
    for (const doubleQuant of [true, false]) {
      await expect(loadBase(gpu, model, { doubleQuant, positions: 8 })).rejects.toThrow(sentence);
    }
    const weights = allocateBase(gpu, model, { doubleQuant: true, positions: 8 });
    for (const chunkBytes of [2 ** 11, 2 ** 13]) {
      const upload = new Upload(gpu, chunkBytes);
      const loaded = upload.run(baseTensors(upload, model, weights), () => undefined);
      await expect(loaded).rejects.toThrow(sentence);
      upload.close();
    }
  });

  it('of several, the first in its file is named', async () => {
    const { gpu } = await testGpu();
    const files = await changedTensors(fixtureFiles('cases/recipe_text/base'), 'model.safetensors', (t) =>
      t.dtype === 'BF16' ? withBits(withBits(t, 5, NAN.BF16), 2, INFINITY.BF16) : t,
    );
    const model = await openBaseModel(memoryFolder('base', files));
    const [first] = [...model.tensors.values()].toSorted((a, b) => a.begin - b.begin);
    const index = first!.shape.length === 1 ? '2' : '0, 2';
    await expect(loadBase(gpu, model, { doubleQuant: true, positions: 8 })).rejects.toThrow(
      `${first!.name} holds a value that is not finite at [${index}], expected`,
    );
  });
});

it('a loss that is not finite at step 1 may also come from V1 or the base, and the run says so', async () => {
  const inputs = await caseInputs('chat_messages');
  const huge = await changedTensors(
    fixtureFiles('cases/chat_messages/v1'),
    'adapter_model.safetensors',
    (t) => ({ ...t, data: new Uint8Array(new Float32Array(t.data.length / 4).fill(1e30).buffer) }),
  );
  const source = memoryFolder('v1', huge);
  await expect(
    runOnSharedDevice({ inputs: { ...inputs, source }, store: new MemoryStore() }),
  ).rejects.toThrow(
    /^Step 1: the loss is not finite \(.*train\.jsonl, line \d+\); there is no checkpoint yet; look at those rows, or take another copy of the source adapter or of the base, whose values may be broken, then start again\.$/,
  );
});
