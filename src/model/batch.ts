import type { Stream } from '../gpu/stream.ts';
import type { Pass } from '../text/packing.ts';
import type { Activations } from './activations.ts';

/**
 * Writes a pass's ids, positions, document ranges and targets to the device. Submits pending work first, so that a
 * pass in flight keeps its own batch. `keys`: the dropout key of each dataset row, if dropout is on.
 */
export function uploadPass(
  stream: Stream,
  acts: Activations,
  pass: Pass,
  keys?: ReadonlyMap<number, number>,
): void {
  stream.submit();
  const { buffers } = acts;
  const { queue } = stream.gpu.device;
  const tokens = pass.ids.length;
  if (tokens > acts.shape.tokens) {
    throw new Error(`pass of ${tokens} tokens in a workspace of ${acts.shape.tokens}`);
  }
  const ranges = new Uint32Array(2 * tokens);
  for (let t = 0; t < tokens; t++) {
    ranges[2 * t] = pass.docBegin[t]!;
    ranges[2 * t + 1] = pass.docEnd[t]!;
  }
  const write = (buffer: keyof typeof buffers, words: Uint32Array) =>
    queue.writeBuffer(buffers[buffer].raw, 0, words as Uint32Array<ArrayBuffer>);
  write('ids', pass.ids);
  write('positions', pass.positions);
  write('ranges', ranges);
  write('targetIndex', pass.targets.index);
  write('labels', pass.targets.label);
  if (keys) {
    const words = new Uint32Array(2 * tokens);
    for (let t = 0; t < tokens; t++) {
      words[2 * t] = keys.get(pass.rowOf[t]!)!;
      words[2 * t + 1] = pass.positions[t]!;
    }
    write('tokenKeys', words);
  }
}
