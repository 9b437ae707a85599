import { describe, expect, it } from 'vitest';
import { nodeFolder } from '../../../src/cli/node-files.ts';
import { readAdapter } from '../../../src/formats/adapter.ts';
import { view } from '../../../src/gpu/memory.ts';
import { parseSaved, type SavedFormat } from '../../../src/model/activation-checkpointing.ts';
import { Activations } from '../../../src/model/activations.ts';
import { backward } from '../../../src/model/backward.ts';
import { uploadPass } from '../../../src/model/batch.ts';
import { forward, type PassContext } from '../../../src/model/decoder.ts';
import { Lora } from '../../../src/model/lora.ts';
import { headLoss } from '../../../src/model/loss.ts';
import { packWindow } from '../../../src/text/packing.ts';
import { relativeError, testGpu } from '../../support/gpu.ts';
import { type CaseName, casePath, ModelCase } from '../../support/model-case.ts';
import { Random } from '../../support/random.ts';

/**
 * Losses, gradients and dispatches of two passes, with these levels of saved activations in the two layers, of an adapter
 * of these projections.
 */
async function gradients(
  name: CaseName,
  { dropout, adapted = /./ }: { dropout: number; adapted?: RegExp | undefined },
) {
  const t = await testGpu();
  const opened = await ModelCase.open(t.gpu, name);
  const { config } = opened.model;
  const adapter = await readAdapter(await nodeFolder(casePath(name, 'v1')), config);
  const weights = adapter.weights.filter(({ module }) => adapted.test(module.projection));
  const rank = Math.max(...weights.map((w) => w.module.r));
  const random = new Random(5);
  const rows = [4, 6, 11].map((length, index) => {
    const ids = Uint32Array.from({ length }, () => random.integer(0, config.vocabSize - 1));
    return { index, row: { ids, trained: new Uint8Array(length).fill(1), line: 1, place: 1, cut: false } };
  });
  const keys = new Map(rows.map(({ index }) => [index, 77 + index]));
  const passes = packWindow(rows, 12);
  expect(passes.length).toBe(2);
  const measure = async (text: string | undefined, savedFormat?: SavedFormat) => {
    const lora = new Lora(t.gpu, weights, config.layers, true, dropout);
    const acts = new Activations(t.gpu, {
      config,
      headFormat: opened.base.head.format,
      tokens: 12,
      rank,
      training: true,
      keep: text === undefined ? undefined : parseSaved(text),
      savedFormat,
    });
    const losses = t.output(64);
    const before = t.stream.counts.dispatches;
    let lossBegin = 0;
    for (const pass of passes) {
      uploadPass(t.stream, acts, pass, dropout > 0 ? keys : undefined);
      const ctx: PassContext = {
        stream: t.stream,
        base: opened.base,
        lora,
        acts,
        rows: pass.ids.length,
        dropout,
      };
      await forward(ctx);
      const targets = pass.targets.index.length;
      await headLoss(ctx, { targets, losses, lossBegin, gradScale: 1 / 18 });
      await backward(ctx);
      lossBegin += targets;
    }
    const dispatches = t.stream.counts.dispatches - before;
    const bytes: Record<string, Uint8Array> = { losses: await t.bytes(losses) };
    for (const [i, { grads }] of lora.layers.entries()) {
      bytes[`layer ${i}`] = await t.bytes(view(grads));
    }
    acts.close();
    lora.close();
    return { bytes, dispatches };
  };
  return measure;
}

describe.each([
  ['qwen3', 0],
  ['llama_sharded', 0.3],
] as const)('%s, dropout %s', (name, dropout) => {
  it('has the same bits in losses and gradients however much is kept of each layer', async () => {
    const measure = await gradients(name, { dropout });
    const reference = await measure(undefined);
    expect(new Float32Array(reference.bytes['layer 0']!.slice().buffer).some((g) => g !== 0)).toBe(true);
    const more = new Map<string, number>();
    for (const keep of ['01', '12', '13']) {
      const found = await measure(keep);
      expect(found.bytes, keep).toEqual(reference.bytes);
      more.set(keep, found.dispatches - reference.dispatches);
    }
    // The more is saved, the less is recomputed; by default a layer saves its attention.
    expect(more.get('01')).toBeGreaterThan(0);
    expect(more.get('12')).toBeLessThan(0);
    expect(more.get('13')).toBeLessThan(more.get('12')!);
  });
});

// Without a pair of its own, nothing of gate and up is read for LoRA: they are rounded and saved apart.
it.each([
  ['all modules', undefined],
  ['attention only', /^[qkvo]_proj$/],
])(
  'with gate and up in f16, however much is kept has the same bits too, near those of f32: %s',
  async (_, adapted) => {
    const measure = await gradients('llama_sharded', { dropout: 0.3, adapted });
    const exact = await measure('33');
    const reference = await measure(undefined, 'f16');
    expect((await measure('30', 'f16')).bytes).toEqual(reference.bytes);
    for (const [what, bytes] of Object.entries(reference.bytes)) {
      const [found, expected] = [bytes, exact.bytes[what]!].map(
        (one) => new Float32Array(one.slice().buffer),
      );
      const written = (values: Float32Array) => values.filter((value) => !Number.isNaN(value));
      const error = relativeError(written(found!), written(expected!));
      expect(error, what).toBeGreaterThan(0);
      expect(error, what).toBeLessThan(1e-3);
    }
  },
);
