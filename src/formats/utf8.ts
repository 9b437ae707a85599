const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** The text of UTF-8 bytes, byte-order mark included; undefined if they are not valid UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

export function encodeUtf8(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** Compares strings as Rust and Python do, by code point; JavaScript's `<` compares UTF-16 units. */
export function byCodePoint(a: string, b: string): number {
  const end = Math.min(a.length, b.length);
  let at = 0;
  while (at < end && a.charCodeAt(at) === b.charCodeAt(at)) {
    at++;
  }
  if (at === end) {
    return a.length - b.length;
  }
  // From the middle of a surrogate pair, the comparison would see only the low halves.
  const low = a.charCodeAt(at) & 0xfc00;
  if (at > 0 && low === 0xdc00 && (a.charCodeAt(at - 1) & 0xfc00) === 0xd800) {
    at--;
  }
  return a.codePointAt(at)! - b.codePointAt(at)!;
}
