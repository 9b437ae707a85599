import { readOnce } from '../../src/gpu/readback.ts';
import type { Stream } from '../../src/gpu/stream.ts';
import { imageTensors } from '../../src/model/base/cache/packed-image.ts';
import type { DecoderWeights } from '../../src/model/weights.ts';

/** Everything of a loaded base on the device, by name, and the offsets of its scales. */
export async function deviceBytes(stream: Stream, weights: DecoderWeights): Promise<Record<string, unknown>> {
  const tensors = imageTensors(weights);
  const bytes = await readOnce(stream, ...tensors.map((tensor) => tensor.view));
  const offsets = weights.layers.map(({ linear }) =>
    Object.values(linear).map(({ weight }) => ('format' in weight ? undefined : weight.nested?.offset)),
  );
  let end = 0;
  const parts = tensors.map(({ name, view: { size } }) => [name, bytes.slice(end, (end += size))] as const);
  return { offsets, ...Object.fromEntries(parts) };
}
