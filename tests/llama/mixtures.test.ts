import { expect, it } from 'vitest';
import { ggufExport } from '../../src/export/gguf/model.ts';
import { MIXTURES, mixtureSource } from '../support/mixture-base.ts';
import { LlamaModel } from './llama.ts';
import { apart, written } from './written.ts';

it('reads the super-blocks of q4_k_m, and of q8_0, as they are meant', async () => {
  const [, mixture] = MIXTURES.find(([, { errors }]) => errors)!;
  const source = await mixtureSource(mixture);
  const next = async (type: 'f32' | 'q8_0' | 'q4_k_m') => {
    await using llama = await LlamaModel.open(await written(await ggufExport(source, type, `${type}.gguf`)));
    return await llama.logProbabilities([5, 80, 300, 7]);
  };
  const exact = await next('f32');
  const [eight, four] = [apart(await next('q8_0'), exact), apart(await next('q4_k_m'), exact)];
  console.log(`largest difference of a log-probability: q8_0 ${eight.toFixed(4)}, q4_k_m ${four.toFixed(4)}`);
  expect(eight).toBeLessThan(0.05);
  expect(four).toBeLessThan(0.5);
});
