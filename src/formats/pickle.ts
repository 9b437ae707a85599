import { UserError } from './user-error.ts';

const PICKLE_NAME = /\.(bin|pt|pth|ckpt|pkl)$/i;

/** Whether a file name is one that PyTorch gives to pickles. */
export function isPickleName(name: string): boolean {
  return PICKLE_NAME.test(name);
}

/** Whether the first bytes are torch.save's: a zip archive, or a bare pickle of protocol 2 to 5. */
export function isPickleMagic(bytes: Uint8Array): boolean {
  const [a, b] = bytes;
  return (a === 0x50 && b === 0x4b) || (a === 0x80 && b !== undefined && b >= 2 && b <= 5);
}

/** The refusal of a pickle: loading one can run arbitrary code (CVE-2025-32434). */
export function pickleError(name: string): UserError {
  return new UserError(
    `${name}: this is a PyTorch pickle, and pickle files are never opened because they can run code; expected .safetensors, so convert it or download the safetensors version.`,
  );
}
