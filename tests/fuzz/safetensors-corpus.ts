import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, brotliDecompressSync } from 'node:zlib';
import { joinBytes } from '../support/memory-folder.ts';
import { openInputs } from './inputs.ts';

/** What a reader makes of a file: its refusal, or the SHA-256 of what it read. */
export type Verdict = { accepted: string } | { refused: string };

/** Characters of the reference's refusals that are kept. */
const LONGEST = 60;

const FILES = 'tests/fixtures/fuzz/safetensors.br';
const VERDICTS = 'tests/fixtures/fuzz/safetensors-verdicts.json';
const COMMITTED = 1000;

/** The first mutants of the safetensors fuzzer. */
export async function mutants(count: number): Promise<Uint8Array[]> {
  const { at } = await openInputs('safetensors/mutants');
  return Array.from({ length: count }, (_, i) => Object.values(at(i))[0]!);
}

/** The committed files and what the reference says of them. */
export function readCorpus(): { files: Uint8Array[]; verdicts: Verdict[] } {
  const corpus = brotliDecompressSync(readFileSync(FILES));
  const files: Uint8Array[] = [];
  for (let at = 0; at < corpus.length; at += 4 + files.at(-1)!.length) {
    files.push(new Uint8Array(corpus.subarray(at + 4, at + 4 + corpus.readUInt32LE(at))));
  }
  return { files, verdicts: JSON.parse(readFileSync(VERDICTS, 'utf8')) as Verdict[] };
}

/** Makes them anew. */
export async function writeCorpus(python: string): Promise<void> {
  const files = await mutants(COMMITTED);
  writeFileSync(FILES, brotliCompressSync(corpusOf(files)));
  const verdicts = askReference(python, files).map((verdict) =>
    'refused' in verdict ? { refused: verdict.refused.slice(0, LONGEST) } : verdict,
  );
  writeFileSync(VERDICTS, `[\n${verdicts.map((verdict) => JSON.stringify(verdict)).join(',\n')}\n]\n`);
}

/** The verdicts of a Python that has safetensors. */
export function askReference(python: string, files: readonly Uint8Array[]): Verdict[] {
  const folder = mkdtempSync(join(tmpdir(), 'retune-safetensors-'));
  try {
    writeFileSync(join(folder, 'corpus'), corpusOf(files));
    const script = ['tests/reference/safetensors_verdicts.py', join(folder, 'corpus')];
    return JSON.parse(execFileSync(python, script, { encoding: 'utf8', maxBuffer: 2 ** 28 })) as Verdict[];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Each file behind its length as a little-endian u32. */
function corpusOf(files: readonly Uint8Array[]): Uint8Array {
  return joinBytes(files.flatMap((bytes) => [new Uint8Array(Uint32Array.of(bytes.length).buffer), bytes]));
}
