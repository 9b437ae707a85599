import { createHash } from 'node:crypto';

/**
 * Gives every file that the service worker keeps a revision that the headers have a part in. What is kept is kept with its
 * headers, and they decide what it may do: an isolated page may not start a worker that was kept before pages were
 * isolated. So other headers make every file another one, unchanged as its bytes may be.
 */
export function withHeaders(headers: Readonly<Record<string, string>>) {
  const hash = createHash('sha256').update(JSON.stringify(headers)).digest('hex').slice(0, 8);
  return <T extends { revision: string | null }>(files: readonly T[]) => ({
    manifest: files.map((file) => ({ ...file, revision: `${file.revision ?? ''}${hash}` })),
  });
}
