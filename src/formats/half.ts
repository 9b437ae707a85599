/** The f32 values of little-endian bf16 bytes; exact. */
export function bf16ToF32(bytes: Uint8Array): Float32Array<ArrayBuffer> {
  const halves = uint16s(bytes);
  const out = new Uint32Array(halves.length);
  for (let i = 0; i < out.length; i++) {
    out[i] = halves[i]! << 16;
  }
  return new Float32Array(out.buffer);
}

/** The f32 values of little-endian IEEE f16 bytes; exact. */
export function f16ToF32(bytes: Uint8Array): Float32Array<ArrayBuffer> {
  const halves = uint16s(bytes);
  const out = new Float32Array(halves.length);
  for (let i = 0; i < out.length; i++) {
    const half = halves[i]!;
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 31;
    const mantissa = half & 1023;
    if (exponent === 0) {
      out[i] = sign * mantissa * 2 ** -24;
    } else if (exponent === 31) {
      out[i] = mantissa ? NaN : sign * Infinity;
    } else {
      out[i] = sign * (1024 + mantissa) * 2 ** (exponent - 25);
    }
  }
  return out;
}

/** The f32 values of little-endian f32 bytes. */
export function bytesToF32(bytes: Uint8Array): Float32Array<ArrayBuffer> {
  return new Float32Array(bytes.slice().buffer);
}

function uint16s(bytes: Uint8Array): Uint16Array {
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  return new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.length >> 1);
}
