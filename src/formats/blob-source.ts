import type { ByteSource } from './byte-source.ts';
import { UserError } from './user-error.ts';

/** A file or stored blob, read by position, never whole. `remedy` says what to do if it cannot be read. */
export function blobSource(name: string, blob: Blob, remedy: string): ByteSource {
  return {
    name,
    size: blob.size,
    modified: blob instanceof File ? blob.lastModified : undefined,
    async read(begin, into) {
      const end = begin + into.length;
      if (end > blob.size) {
        throw new UserError(
          `${name}: ended at byte ${blob.size}, while bytes up to ${end} were expected; ${remedy}.`,
        );
      }
      const bytes = await blob
        .slice(begin, end)
        .arrayBuffer()
        .catch((error: unknown) => {
          const why = error instanceof Error ? error.message : String(error);
          throw new UserError(`${name}: cannot be read (${why.replace(/\.$/, '')}); ${remedy}.`);
        });
      into.set(new Uint8Array(bytes));
    },
  };
}
