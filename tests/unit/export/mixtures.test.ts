import { describe, expect, it } from 'vitest';
import { GGML_TYPES, type GgmlType } from '../../../src/export/gguf/file.ts';
import { ggufExport } from '../../../src/export/gguf/model.ts';
import type { Source } from '../../../src/export/source.ts';
import { bytesToF32 } from '../../../src/formats/half.ts';
import { decodeBlocks, type DECODERS } from '../../reference/gguf-blocks.ts';
import { contentOf } from '../../support/exported.ts';
import { type Mixture, MIXTURES, mixtureSource } from '../../support/mixture-base.ts';
import { readGguf } from '../../support/read-gguf.ts';

const TYPE_NAMES = new Map<number, GgmlType>(
  Object.entries(GGML_TYPES).map(([name, { id }]) => [id, name as GgmlType]),
);
const typeOf = ({ type }: { type: number }) => TYPE_NAMES.get(type)!;

/** What the header of a GGUF file says of its tensors. */
async function headerOf(mixture: Mixture) {
  const { files } = await ggufExport(await mixtureSource(mixture), 'q4_k_m', 'v2.gguf');
  const { value } = await files[0]!.chunks()[Symbol.asyncIterator]().next();
  return readGguf(value as Uint8Array<ArrayBuffer>).tensors;
}

async function tensorsOf(source: Source, type: 'f32' | 'q4_k_m') {
  const { files } = await ggufExport(source, type, 'v2.gguf');
  return readGguf(await contentOf(files[0]!)).tensors;
}

describe('q4_k_m of a whole model', () => {
  it.each(MIXTURES)('%s: each weight has the type that llama.cpp gives it', async (_, mixture) => {
    const tensors = await headerOf(mixture);
    const found: Record<string, string> = {};
    for (const [role, types] of Object.entries(mixture.types)) {
      const weights = tensors.has(`${role}.weight`)
        ? [`${role}.weight`]
        : Array.from({ length: mixture.layers }, (_, layer) => `blk.${layer}.${role}.weight`);
      const all = weights.map((name) => typeOf(tensors.get(name)!));
      found[role] = (types.includes(' ') ? all : [...new Set(all)]).join(' ');
    }
    expect(found).toEqual(mixture.types);
    const others = [...tensors].filter(([name]) => /norm|bias/.test(name));
    expect(new Set(others.map(([, tensor]) => typeOf(tensor)))).toEqual(new Set(['F32']));
    expect(others.length).toBeGreaterThan(2 * mixture.layers);
  });

  it('has errors at most 1.05 times those of llama.cpp in each of its weights', async () => {
    const [, mixture] = MIXTURES.find(([, { errors }]) => errors)!;
    const source = await mixtureSource(mixture);
    const exact = await tensorsOf(source, 'f32');
    const ours = await tensorsOf(source, 'q4_k_m');
    const ratios = Object.entries(mixture.errors!).map(([name, theirs]) => {
      const tensor = ours.get(`${name}.weight`)!;
      const values = decodeBlocks(typeOf(tensor) as keyof typeof DECODERS, tensor.data);
      const squares = bytesToF32(exact.get(`${name}.weight`)!.data).reduce(
        (sum, value, i) => sum + (value - values[i]!) ** 2,
        0,
      );
      return Math.sqrt(squares / values.length) / theirs;
    });
    expect(ratios).toHaveLength(1 + 7 * mixture.layers);
    expect(Math.max(...ratios)).toBeLessThanOrEqual(1.05);
    // Far below one, the weights would be others than those that llama.cpp had.
    expect(Math.min(...ratios)).toBeGreaterThan(0.95);
  });
});
