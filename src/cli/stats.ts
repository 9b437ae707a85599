import type { Stats } from 'node:fs';
import { lstat, readlink, stat } from 'node:fs/promises';
import { UserError } from '../formats/user-error.ts';

/** The system's code for a failed call on a file, such as ENOSPC. */
export function errorCode(error: unknown): string | undefined {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return error instanceof Error && typeof code === 'string' && syscall !== undefined ? code : undefined;
}

/** What is at a path, following links; undefined if nothing is. Throws UserError if that cannot be determined. */
export async function statsOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      return undefined;
    }
    throw notOpened(path, error);
  }
}

/** The target of the link at a path; undefined if there is no link. */
export async function linkTarget(path: string): Promise<string | undefined> {
  const isLink = (await lstat(path).catch(() => undefined))?.isSymbolicLink() ?? false;
  return isLink ? readlink(path) : undefined;
}

/** "a file", "a folder", or neither: a pipe, a socket, a device. */
export function kindOf(info: Stats): string {
  if (info.isFile()) {
    return 'a file';
  }
  return info.isDirectory() ? 'a folder' : 'something that is neither a file nor a folder';
}

const ADVICE: Readonly<Record<string, string>> = {
  EACCES: 'cannot be opened (EACCES); check that you may read it',
  EPERM: 'cannot be opened (EPERM); check that you may read it',
  ENAMETOOLONG: 'is longer than its disk takes a name or path (ENAMETOOLONG); choose a shorter one',
  ELOOP: 'is a chain of links that ends nowhere; name what the links were to lead to',
};

/** What the system refused to open, as a UserError; any other error unchanged. */
export function notOpened(path: string, error: unknown): unknown {
  const code = errorCode(error);
  if (code === undefined) {
    return error;
  }
  return new UserError(
    `${path}: ${ADVICE[code] ?? `cannot be read (${code}); check the path and its disk`}.`,
  );
}

/** The same for a path to be written; `option` named it. */
export function notWritten(path: string, code: string, option: string): UserError {
  const remedy = code === 'ENAMETOOLONG' ? ADVICE[code] : undefined;
  return new UserError(
    `${path}: ${remedy ?? `cannot be written (${code}); check that you may write there, or choose another ${option}`}.`,
  );
}
