const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** The text of UTF-8 bytes, byte-order mark included; undefined where they are not valid UTF-8. */
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

/** Orders strings as Rust and Python do, by code point; JavaScript's own `<` orders by UTF-16 unit. */
export function byCodePoint(a: string, b: string): number {
  const end = Math.min(a.length, b.length);
  let at = 0;
  while (at < end && a.charCodeAt(at) === b.charCodeAt(at)) at++;
  if (at === end) return a.length - b.length;
  // Stepping back from the middle of a surrogate pair would compare its low halves only.
  const low = a.charCodeAt(at) & 0xfc00;
  if (at > 0 && low === 0xdc00 && (a.charCodeAt(at - 1) & 0xfc00) === 0xd800) at--;
  return a.codePointAt(at)! - b.codePointAt(at)!;
}
