import { describe, expect, it } from 'vitest';
import { readNf4Source } from '../../../src/formats/nf4-checkpoint.ts';
import { openSafetensors, readTensor, type TensorInfo } from '../../../src/formats/safetensors.ts';
import { fixtureBytes, source } from '../../support/memory-folder.ts';

/** One weight [48, 32] that bitsandbytes quantized, its codes typed as each storage. */
const open = async () =>
  (await openSafetensors(source('storage.safetensors', fixtureBytes('formats/storage.safetensors')))).tensors;

describe('codes typed as other numbers', () => {
  it.each([
    ['int8', 'I8', 768],
    ['bfloat16', 'BF16', 384],
    ['float16', 'F16', 384],
    ['float32', 'F32', 192],
    ['float64', 'F64', 96],
  ])('%s are the same bytes', async (storage, dtype, values) => {
    const tensors = await open();
    const plain = await readNf4Source(tensors, 'uint8.weight', [48, 32]);
    const typed = await readNf4Source(tensors, `${storage}.weight`, [48, 32]);
    expect(typed!.packed).toMatchObject({ dtype, shape: [values, 1] });
    const bytes = await readTensor(plain!.packed);
    expect(bytes).toHaveLength(768);
    expect(await readTensor(typed!.packed)).toEqual(bytes);
    expect(await readTensor(typed!.absmax)).toEqual(await readTensor(plain!.absmax));
  });

  it('of another size are refused', async () => {
    const tensors = new Map<string, TensorInfo>(await open());
    const whole = tensors.get('bfloat16.weight')!;
    tensors.set('bfloat16.weight', { ...whole, shape: [383, 1], end: whole.end - 2 });
    await expect(readNf4Source(tensors, 'bfloat16.weight', [48, 32])).rejects.toThrow(
      'storage.safetensors: bfloat16.weight is BF16 [383, 1], 766 bytes, expected 768 bytes of 4-bit codes; download or export the base again.',
    );
    tensors.delete('bfloat16.weight');
    await expect(readNf4Source(tensors, 'bfloat16.weight', [48, 32])).rejects.toThrow(
      'bfloat16.weight is missing, though bfloat16.weight.quant_state.bitsandbytes__nf4 is there',
    );
  });
});
