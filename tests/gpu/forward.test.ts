import { describe, expect, it } from 'vitest';
import { gatherRows } from '../../src/gpu/kernels/embedding.ts';
import { headMatmul } from '../../src/gpu/kernels/head.ts';
import { view } from '../../src/gpu/memory.ts';
import { readOnce } from '../../src/gpu/readback.ts';
import { uploadPass } from '../../src/model/batch.ts';
import { forward, type PassContext } from '../../src/model/decoder.ts';
import type { Lora } from '../../src/model/lora.ts';
import { Workspace } from '../../src/model/workspace.ts';
import { packWindow } from '../../src/text/packing.ts';
import { relativeError, testGpu } from '../support/gpu.ts';
import { CASES, ModelCase } from '../support/model-case.ts';

/** Logits after the prompt's last token, of a pass in which the prompt stands between two other documents. */
async function lastLogits(opened: ModelCase, lora: Lora | undefined): Promise<Float32Array> {
  const { stream, gpu } = await testGpu();
  const prompt = opened.expected.prompt_ids;
  const documents = [prompt.slice(0, 5), prompt, prompt.slice(2)];
  const rows = documents.map((ids, index) => {
    const trained = new Uint8Array(ids.length);
    return { index, row: { ids: Uint32Array.from(ids), trained, line: 1, cut: false } };
  });
  const [pass] = packWindow(rows, 256);
  const { config } = opened.base;
  const ws = new Workspace(gpu, {
    config,
    headFormat: opened.base.head.format,
    tokens: pass!.ids.length,
    rank: 32,
    training: false,
    dropout: false,
  });
  uploadPass(stream, ws, pass!);
  const ctx: PassContext = { stream, base: opened.base, lora, ws, rows: pass!.ids.length, dropout: 0 };
  await forward(ctx);
  stream.submit();
  const index = view(ws.buffers.targetIndex);
  gpu.device.queue.writeBuffer(ws.buffers.targetIndex.raw, 0, Uint32Array.of(4 + prompt.length));
  const x = view(ws.buffers.headIn);
  gatherRows(stream, { x: view(ws.buffers.normed), index, y: x, count: 1, width: config.hiddenSize });
  headMatmul(stream, { x, table: opened.base.head, logits: view(ws.buffers.logits), rows: 1 });
  const bytes = await readOnce(stream, view(ws.buffers.logits, 0, 4 * config.vocabSize));
  ws.close();
  expect(gpu.errors).toEqual([]);
  return new Float32Array(bytes.buffer);
}

describe.each(CASES)('forward pass of %s', (name) => {
  it('gives the logits of PyTorch for base, V1 and V2', async () => {
    const { gpu } = await testGpu();
    const opened = await ModelCase.open(gpu, name);
    for (const who of ['base', 'v1', 'v2'] as const) {
      const expected = opened.expected[`${who}_logits`];
      // The two oldest cases came without V2's logits.
      if (!expected) continue;
      const lora = await opened.lora(who);
      expect(relativeError(await lastLogits(opened, lora), expected), who).toBeLessThan(1e-5);
      lora?.close();
    }
  });
});
