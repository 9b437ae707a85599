import { describe, expect, it } from 'vitest';
import { relativeError, testGpu } from '../../support/gpu.ts';
import { lastLogits } from '../../support/logits.ts';
import { CASES, ModelCase } from '../../support/model-case.ts';

describe.each(CASES)('forward pass of %s', (name) => {
  it('gives the logits of PyTorch for base, V1 and V2', async () => {
    const { gpu, stream } = await testGpu();
    const opened = await ModelCase.open(gpu, name);
    for (const who of ['base', 'v1', 'v2'] as const) {
      const expected = opened.expected[`${who}_logits`];
      // The two oldest cases lack V2's logits.
      if (!expected) {
        continue;
      }
      const lora = await opened.lora(who);
      expect(
        relativeError(await lastLogits(stream, opened.base, lora, opened.expected.prompt_ids), expected),
        who,
      ).toBeLessThan(1e-5);
      lora?.close();
    }
  });
});
