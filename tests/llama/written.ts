import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { writeExportFile } from '../../src/cli/write-export.ts';
import type { Export } from '../../src/export/output-file.ts';

const work = mkdtempSync(join(tmpdir(), 'retune-llama-'));
afterAll(() => rmSync(work, { recursive: true }));

/** The path of an exported file, which is there until the tests of this file are over. */
export async function written({ files }: Export): Promise<string> {
  const [file] = files;
  const path = join(work, file!.path);
  await writeExportFile(path, file!, { signal: new AbortController().signal, onProgress: () => undefined });
  return path;
}

/** The largest difference between two distributions' log-probabilities, where the second has at least e^-12. */
export const apart = (a: readonly number[], b: readonly number[]): number =>
  Math.max(...b.map((value, id) => (value < -12 ? 0 : Math.abs(a[id]! - value))));
