import { openSafetensors, readTensor } from '../../src/formats/safetensors.ts';
import { type TensorData, writeSafetensors } from '../../src/formats/safetensors-write.ts';
import { joinBytes, type MemoryFiles, source } from './memory-folder.ts';

/** The files with one safetensors file written anew, its tensors changed. */
export async function changedTensors(
  files: MemoryFiles,
  file: string,
  change: (tensor: TensorData) => TensorData | [],
): Promise<MemoryFiles> {
  const { tensors, metadata } = await openSafetensors(source(file, files[file]!));
  const data: TensorData[] = [];
  for (const info of tensors.values()) {
    data.push({ ...info, data: await readTensor(info) });
  }
  return { ...files, [file]: joinBytes(writeSafetensors(data.flatMap(change), metadata)) };
}

/** The tensor's bytes with the little-endian `bits` of one value at index `at`. */
export function withBits(tensor: TensorData, at: number, bits: number): TensorData {
  const data = tensor.data.slice();
  const view = new DataView(data.buffer);
  if (tensor.dtype === 'F32') {
    view.setUint32(4 * at, bits, true);
  } else {
    view.setUint16(2 * at, bits, true);
  }
  return { ...tensor, data };
}
