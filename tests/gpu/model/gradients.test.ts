import { describe, expect, it } from 'vitest';
import { nodeSource } from '../../../src/cli/node-files.ts';
import { tensorName } from '../../../src/formats/adapter.ts';
import { openSafetensors, readTensorF32 } from '../../../src/formats/safetensors.ts';
import { headMatmul } from '../../../src/gpu/kernels/lm-head/lm-head.ts';
import { view } from '../../../src/gpu/memory.ts';
import { Activations } from '../../../src/model/activations.ts';
import { backward } from '../../../src/model/backward.ts';
import { uploadPass } from '../../../src/model/batch.ts';
import { forward, type PassContext } from '../../../src/model/decoder.ts';
import { headLoss } from '../../../src/model/loss.ts';
import { packWindow } from '../../../src/text/packing.ts';
import { relativeError, type TestGpu, testGpu } from '../../support/gpu.ts';
import { type CaseName, casePath, ModelCase } from '../../support/model-case.ts';

interface Expected {
  rows: { input_ids: number[]; labels: number[] }[];
  trained_tokens: number;
  loss: number;
}

/** A pass of whole rows after its forward pass, with activations of exactly its size. */
async function pass(t: TestGpu, opened: ModelCase, rows: Expected['rows']) {
  const placed = rows.map(({ input_ids, labels }, index) => {
    const trained = Uint8Array.from(labels, (label) => Number(label !== -100));
    return {
      index,
      row: { ids: Uint32Array.from(input_ids), trained, line: index + 1, place: index + 1, cut: false },
    };
  });
  const [packed] = packWindow(placed, 256);
  const lora = (await opened.lora('v1', true))!;
  const acts = new Activations(t.gpu, {
    config: opened.base.config,
    headFormat: opened.base.head.format,
    tokens: packed!.ids.length,
    rank: 32,
    training: true,
  });
  uploadPass(t.stream, acts, packed!);
  const tokens = packed!.ids.length;
  const ctx: PassContext = { stream: t.stream, base: opened.base, lora, acts, rows: tokens, dropout: 0 };
  await forward(ctx);
  return { ctx, acts, lora, targets: packed!.targets.index.length, tokens };
}

async function tensors(name: CaseName, file: string) {
  return (await openSafetensors(await nodeSource(casePath(name, `expected/${file}`)))).tensors;
}

describe.each(['recipe_text', 'qwen3', 'llama_sharded', 'dynamic'] as const)('whole model: %s', (name) => {
  it("has PyTorch's gradient in every LoRA tensor", async () => {
    const t = await testGpu();
    const opened = await ModelCase.open(t.gpu, name);
    const expected = JSON.parse(opened.text('expected/gradients.json')) as Expected;
    const { ctx, acts, lora, targets } = await pass(t, opened, expected.rows);
    expect(targets).toBe(expected.trained_tokens);
    const losses = t.output(targets);
    await headLoss(ctx, { targets, losses, lossBegin: 0, gradScale: 1 / targets });
    await backward(ctx);
    const loss = (await t.floats(losses)).reduce((sum, l) => sum + l, 0) / targets;
    expect(loss).toBeCloseTo(expected.loss, 6);
    const gradients = await tensors(name, 'gradients.safetensors');
    let seen = 0;
    for (const { layout, grads } of lora.layers) {
      if (layout.values === 0) {
        continue;
      }
      const flat = await t.floats(view(grads));
      for (const { module, which, begin, count } of layout.slots) {
        const key = tensorName(module, which);
        const reference = await readTensorF32(gradients.get(key)!);
        expect(relativeError(flat.subarray(begin, begin + count), reference), key).toBeLessThan(1e-4);
        seen++;
      }
    }
    expect(seen).toBe(gradients.size);
    acts.close();
    lora.close();
  });

  it("has PyTorch's logits at every token of a row", async () => {
    const t = await testGpu();
    const opened = await ModelCase.open(t.gpu, name);
    const file = await tensors(name, 'logits.safetensors');
    const expected = JSON.parse(opened.text('expected/gradients.json')) as Expected;
    const { ctx, acts, lora, tokens } = await pass(t, opened, expected.rows.slice(0, 1));
    const reference = await readTensorF32(file.get('logits')!);
    const logits = t.output(reference.length);
    headMatmul(t.stream, { x: view(acts.buffers.normed), table: ctx.base.head, logits, rows: tokens });
    expect(relativeError(await t.floats(logits), reference)).toBeLessThan(1e-5);
    acts.close();
    lora.close();
  });
});
