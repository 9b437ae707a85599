import { gatherRows } from '../../src/gpu/kernels/embedding.ts';
import { headMatmul } from '../../src/gpu/kernels/lm-head/lm-head.ts';
import { view } from '../../src/gpu/memory.ts';
import { readOnce } from '../../src/gpu/readback.ts';
import type { Stream } from '../../src/gpu/stream.ts';
import { Activations } from '../../src/model/activations.ts';
import { uploadPass } from '../../src/model/batch.ts';
import { forward } from '../../src/model/decoder.ts';
import type { Lora } from '../../src/model/lora.ts';
import type { DecoderWeights } from '../../src/model/weights.ts';
import { packWindow } from '../../src/text/packing.ts';

/** Logits after the prompt's last token, in a pass with the prompt between two other documents. */
export async function lastLogits(
  stream: Stream,
  base: DecoderWeights,
  lora: Lora | undefined,
  prompt: readonly number[],
): Promise<Float32Array> {
  const { gpu } = stream;
  const documents = [prompt.slice(0, 5), prompt, prompt.slice(2)];
  const rows = documents.map((ids, index) => {
    const trained = new Uint8Array(ids.length);
    return { index, row: { ids: Uint32Array.from(ids), trained, line: 1, place: 1, cut: false } };
  });
  const [pass] = packWindow(rows, 256);
  const { config } = base;
  const tokens = pass!.ids.length;
  const shape = { config, headFormat: base.head.format, tokens, rank: 32, training: false };
  const acts = new Activations(gpu, shape);
  uploadPass(stream, acts, pass!);
  await forward({ stream, base, lora, acts, rows: tokens, dropout: 0 });
  stream.submit();
  gpu.device.queue.writeBuffer(
    acts.buffers.targetIndex.raw,
    0,
    Uint32Array.of(documents[0]!.length + prompt.length - 1),
  );
  const [index, x] = [view(acts.buffers.targetIndex), view(acts.buffers.headIn)];
  gatherRows(stream, { x: view(acts.buffers.normed), index, y: x, count: 1, width: config.hiddenSize });
  headMatmul(stream, { x, table: base.head, logits: view(acts.buffers.logits), rows: 1 });
  const bytes = await readOnce(stream, view(acts.buffers.logits, 0, 4 * config.vocabSize));
  acts.close();
  return new Float32Array(bytes.buffer);
}
