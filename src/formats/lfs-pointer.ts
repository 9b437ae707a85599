import { UserError } from './user-error.ts';

/**
 * The first line of the text file that Git LFS puts in place of a large file
 * (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md).
 */
const BEGIN = 'version https://git-lfs';

/** Whether a file starts like a Git LFS pointer; the first nine bytes suffice. */
export function isLfsPointer(start: Uint8Array | string): boolean {
  const text = typeof start === 'string' ? start : String.fromCharCode(...start.subarray(0, BEGIN.length));
  return text.length >= 9 && (text.startsWith(BEGIN) || BEGIN.startsWith(text));
}

export function lfsError(name: string): UserError {
  return new UserError(
    `${name}: this is a Git LFS pointer, the small text that stands for the file until it is fetched; run "git lfs pull" in that folder, or download the file itself.`,
  );
}
