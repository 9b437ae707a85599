import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openNodeGpu } from '../../src/cli/node-gpu.ts';
import { ATTENTION_CLASSES, type AttentionClass, ATTENTIONS } from '../../src/gpu/kernels/attention/index.ts';
import {
  type AttentionCase as Case,
  type AttentionInputs,
  attentionInputs as inputs,
  attentionReference as reference,
  runAttention,
} from './attention-case.ts';
import { relativeError, TestGpu } from './gpu.ts';

/** Forward and backward on the device, by the variants of this name that fit; the default ones unless told. */
export function runVariant(
  t: TestGpu,
  shape: Case,
  data: AttentionInputs,
  { name, most }: { name?: string; most?: number } = {},
) {
  const variant = <C extends AttentionClass>(kind: C) =>
    ATTENTIONS[kind].find((one) => one.name === name && one.fits(shape)) ?? ATTENTIONS[kind][0]!;
  return runAttention(t, shape, data, {
    forward: (call) => variant('attention').dispatch(t.stream, call, most),
    backwardKV: (call) => variant('attention keys').dispatch(t.stream, call, most),
    backwardQ: (call) => variant('attention queries').dispatch(t.stream, call, most),
  });
}

const names = new Set(
  ATTENTION_CLASSES.flatMap((part) =>
    ATTENTIONS[part].filter(({ precision }) => precision === 'f32').map(({ name }) => name),
  ),
);

/** Every f32 variant against the f64 reference, twice to the same bits. */
export const testVariants = (shapes: readonly Case[]): void =>
  describe.each([...names])('attention by %s', (name) => {
    let t: TestGpu;
    // All of the adapter's limits: the largest tiles need more workgroup memory than WebGPU guarantees.
    beforeAll(async () => void (t = new TestGpu(await openNodeGpu('adapter'))));
    afterAll(() => t.close());

    it.each(shapes)('$tokens tokens, heads $heads/$kvHeads of $headDim', async (shape) => {
      const data = inputs(shape, shape.tokens * 31 + name.length);
      const out = await runVariant(t, shape, data, { name });
      const ref = reference(shape, data);
      for (const what of ['o', 'dv', 'dq', 'dk'] as const) {
        expect(relativeError(out[what], ref[what]), what).toBeLessThan(1e-5);
      }
      const lse = out.stats.filter((_, i) => i % 2 === 0);
      expect(relativeError(lse, ref.lse), 'lse').toBeLessThan(1e-5);
      expect(await runVariant(t, shape, data, { name })).toEqual(out);
    });
  });
