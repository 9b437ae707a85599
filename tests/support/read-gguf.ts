/** A tensor of a GGUF file; dimensions as in the file, the fastest first. */
interface ReadTensor {
  type: number;
  dims: number[];
  data: Uint8Array;
}

/** A plain reader of GGUF files, for tests; the length of a tensor's data is not checked. */
export function readGguf(file: Uint8Array<ArrayBuffer>): {
  metadata: Map<string, unknown>;
  tensors: Map<string, ReadTensor>;
} {
  const view = new DataView(file.buffer);
  let at = 0;
  const u32 = () => view.getUint32((at += 4) - 4, true);
  const u64 = () => Number(view.getBigUint64((at += 8) - 8, true));
  const string = () => {
    const length = u64();
    return new TextDecoder().decode(file.subarray(at, (at += length)));
  };
  const value = (kind: number): unknown => {
    switch (kind) {
      case 4:
        return u32();
      case 5:
        return view.getInt32((at += 4) - 4, true);
      case 6:
        return view.getFloat32((at += 4) - 4, true);
      case 7:
        return view.getUint8(at++) === 1;
      case 8:
        return string();
      case 9: {
        const element = u32();
        return Array.from({ length: u64() }, () => value(element));
      }
      default:
        throw new Error(`a value of kind ${kind}`);
    }
  };
  const magic = new TextDecoder().decode(file.subarray(0, (at += 4)));
  if (magic !== 'GGUF' || u32() !== 3) {
    throw new Error(`${magic} is no GGUF file of version 3`);
  }
  const [tensorCount, valueCount] = [u64(), u64()];
  const metadata = new Map(Array.from({ length: valueCount }, () => [string(), value(u32())] as const));
  const infos = Array.from({ length: tensorCount }, () => ({
    name: string(),
    dims: Array.from({ length: u32() }, u64),
    type: u32(),
    offset: u64(),
  }));
  const start = Math.ceil(at / 32) * 32;
  const tensors = new Map(
    infos.map(({ name, dims, type, offset }, i) => {
      const end = infos[i + 1] ? start + infos[i + 1]!.offset : file.length;
      return [name, { type, dims, data: file.subarray(start + offset, end) }] as const;
    }),
  );
  return { metadata, tensors };
}
