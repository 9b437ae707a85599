import { describe, expect, it } from 'vitest';
import type { FloatType } from '../../../src/export/float-bytes.ts';
import { floatBytes } from '../../../src/export/float-bytes.ts';
import { blockValues } from '../../../src/export/gguf/decode-blocks.ts';
import { isFloat } from '../../../src/export/gguf/encode.ts';
import { GGML_TYPES, type GgmlType } from '../../../src/export/gguf/file.ts';
import { ggufExport, storedAs } from '../../../src/export/gguf/model.ts';
import { ggufName } from '../../../src/export/gguf/tensor-names.ts';
import type { GgufType } from '../../../src/export/gguf/tensor-types.ts';
import { writtenModel } from '../../../src/export/written-model.ts';
import { linearModules } from '../../../src/formats/decoder-weights.ts';
import { bytesToF32 } from '../../../src/formats/half.ts';
import { readTensor, type TensorInfo } from '../../../src/formats/safetensors.ts';
import { UserError } from '../../../src/formats/user-error.ts';
import { caseSource, contentOf } from '../../support/exported.ts';
import { readGguf } from '../../support/read-gguf.ts';

const TYPE_NAMES = new Map<number, GgmlType>(
  Object.entries(GGML_TYPES).map(([name, { id }]) => [id, name as GgmlType]),
);

/** A tensor's bytes, read in uneven pieces as an upload may. */
async function inPieces({ source, begin, end }: TensorInfo): Promise<Uint8Array> {
  const out = new Uint8Array(end - begin);
  for (let at = 0, size = 6; at < out.length; at += size, size = 2 * size + 2) {
    await source.read(begin + at, out.subarray(at, at + size));
  }
  return out;
}

describe('the model that an export writes, as the engine reads a base', () => {
  it.each(['bf16', 'f32', 'q4_k_m'] as const)(
    '%s: has the values of the file, matrices in 16 bits',
    async (type: GgufType) => {
      const source = await caseSource('recipe_text', 'nf4');
      const { config } = source.base;
      const model = writtenModel(source, (tensor) => storedAs(tensor, type, config));
      const { tensors } = readGguf(await contentOf((await ggufExport(source, type, 'x')).files[0]!));
      expect(model.tensors.size).toBe(tensors.size);
      for (const [name, info] of model.tensors) {
        const written = tensors.get(ggufName(name))!;
        const stored = TYPE_NAMES.get(written.type)!;
        const matrix = info.shape.length === 2;
        expect(info.dtype).toBe(!matrix ? 'F32' : stored === 'BF16' ? 'BF16' : 'F16');
        const expected =
          stored === info.dtype
            ? written.data
            : floatBytes(
                isFloat(stored) ? bytesToF32(written.data) : blockValues(stored, written.data),
                info.dtype as FloatType,
              );
        expect(await readTensor(info), name).toEqual(new Uint8Array(expected));
        expect(await inPieces(info), name).toEqual(new Uint8Array(expected));
      }
      expect(model.kept.size).toBe(linearModules(config).length);
      expect(model.nf4.size).toBe(0);
    },
  );

  it('names a weight that f16 cannot hold', async () => {
    const source = await caseSource('recipe_text');
    const { sources } = source.adapter;
    const [first, ...others] = sources;
    const huge = { ...first!, module: { ...first!.module, scaling: 1e9 } };
    const model = writtenModel(
      { ...source, adapter: { ...source.adapter, sources: [huge, ...others] } },
      () => 'F32',
    );
    const info = model.tensors.get(`${first!.module.name}.weight`)!;
    await expect(readTensor(info)).rejects.toThrow(UserError);
    await expect(readTensor(info)).rejects.toThrow(
      `${info.name}: once merged it holds a value beyond what f16`,
    );
  });
});
