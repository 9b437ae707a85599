import { describe, expect, it } from 'vitest';
import { mergedFiles } from '../../../src/export/merged.ts';
import { openBaseModel } from '../../../src/formats/base-model.ts';
import { bytesSource } from '../../../src/formats/byte-source.ts';
import { openSafetensors, readTensor, readTensorF32 } from '../../../src/formats/safetensors.ts';
import { caseSource, contentOf, exportedFolder } from '../../support/exported.ts';
import { fixtureBytes, fixtureFiles, memoryFolder } from '../../support/memory-folder.ts';

const CASES = ['batch2', 'dynamic', 'llama_sharded', 'prequant', 'qwen3', 'rank_pattern', 'untied_head'];

/** What PEFT's merge_and_unload gives, by kind and tensor (tests/reference/make_merged.py). */
const peft = async (name: string) =>
  (await openSafetensors(bytesSource(name, fixtureBytes(`export/merged_${name}.safetensors`)))).tensors;

/** Values of adjacent floats of a type differ by at most this share. */
const ULP = { BF16: 2 ** -7, F16: 2 ** -10, F32: 2 ** -23 } as const;

describe('a merged model', () => {
  it.each(CASES)('has the weights of PEFT: %s', async (name) => {
    const expected = await peft(name);
    const wide = await openBaseModel(await exportedFolder(await mergedFiles(await caseSource(name), 'F32')));
    const own = await openBaseModel(await exportedFolder(await mergedFiles(await caseSource(name))));
    let worst = 0;
    for (const [key, info] of expected) {
      const [kind, tensor] = key.split('/') as [string, string];
      if (kind === 'nf4') {
        continue;
      }
      const ours = (kind === 'f32' ? wide : own).tensors.get(tensor)!;
      expect(ours.dtype).toBe(info.dtype);
      const theirs = await readTensorF32(info);
      const values = await readTensorF32(ours);
      const largest = Math.max(...theirs.map(Math.abs));
      theirs.forEach((value, i) => {
        // PEFT rounds a base of 4 bits to its dtype before it adds, and then the sum.
        const magnitude = info.dtype === 'F32' || name === 'prequant' ? largest : Math.abs(value);
        const allowed = ULP[info.dtype as 'F32'] * magnitude + 1e-4 * ULP.BF16 * largest;
        worst = Math.max(worst, Math.abs(values[i]! - value) / allowed);
      });
    }
    expect(worst).toBeLessThanOrEqual(1);
    expect(worst).toBeGreaterThan(0);
  });

  it('merges onto the values that training saw', async () => {
    const expected = await peft('batch2');
    const files = await mergedFiles(await caseSource('batch2', 'nf4'), 'F32');
    const { tensors } = await openBaseModel(await exportedFolder(files));
    for (const [key, info] of [...expected].filter(([key]) => key.startsWith('nf4/'))) {
      const values = await readTensorF32(tensors.get(key.slice(4))!);
      const theirs = await readTensorF32(info);
      theirs.forEach((value, i) => expect(Math.abs(values[i]! - value)).toBeLessThan(1e-6));
    }
  });

  it('leaves what the adapter does not have as it is, and drops the quantization', async () => {
    const before = await openBaseModel(memoryFolder('base', fixtureFiles('cases/prequant/base')));
    const after = await openBaseModel(await exportedFolder(await mergedFiles(await caseSource('prequant'))));
    const embedding = 'model.embed_tokens.weight';
    expect(await readTensor(after.tensors.get(embedding)!)).toEqual(
      await readTensor(before.tensors.get(embedding)!),
    );
    expect(before.quantized).toBe(true);
    expect(after.quantized).toBe(false);
    expect(after.tensors.get('model.layers.0.mlp.up_proj.weight')!.dtype).toBe('BF16');
  });

  it('is cut into shards with an index', async () => {
    const files = await mergedFiles(await caseSource('llama_sharded'), 'F32', { maxShard: 300_000 });
    const names = files.map(({ path }) => path).filter((path) => path.startsWith('model'));
    expect(names[0]).toMatch(/^model-00001-of-0000\d\.safetensors$/);
    expect(names.at(-1)).toBe('model.safetensors.index.json');
    const whole = await openBaseModel(
      await exportedFolder(await mergedFiles(await caseSource('llama_sharded'), 'F32')),
    );
    const { tensors } = await openBaseModel(await exportedFolder(files));
    for (const [name, info] of whole.tensors) {
      expect(await readTensor(tensors.get(name)!)).toEqual(await readTensor(info));
    }
  });

  it('says what it was merged onto, and comes whole or without a config.json', async () => {
    const files = await mergedFiles(await caseSource('batch2', 'nf4'));
    expect(files.at(-1)!.path).toBe('config.json');
    const card = new TextDecoder().decode(await contentOf(files.find(({ path }) => path === 'README.md')!));
    expect(card).toContain('quantized to NF4 and back first');
    expect(card).toMatch(/\| adapter \| v1 \(SHA-256 [0-9a-f]{64}\) \|/);
  });

  it('names a value that the type cannot hold', async () => {
    const source = await caseSource('batch2');
    const { tensors } = source.base;
    const norm = tensors.get('model.norm.weight')!;
    const huge = new Float32Array(64).fill(1e6);
    const changed = new Map(tensors).set('model.norm.weight', {
      ...norm,
      dtype: 'F32',
      source: bytesSource('base', new Uint8Array(huge.buffer)),
      begin: 0,
      end: 256,
    });
    const files = await mergedFiles({ ...source, base: { ...source.base, tensors: changed } }, 'F16');
    await expect(exportedFolder(files)).rejects.toThrow(
      'model.norm.weight: once merged it holds the value 1000000, more than f16 can; choose the type bf16.',
    );
  });
});
