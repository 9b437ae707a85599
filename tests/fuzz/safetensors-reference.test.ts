import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { openSafetensors, readTensor } from '../../src/formats/safetensors.ts';
import { UserError } from '../../src/formats/user-error.ts';
import { byCodePoint } from '../../src/formats/utf8.ts';
import { source } from '../support/memory-folder.ts';
import { askReference, mutants, readCorpus, type Verdict } from './safetensors-corpus.ts';

/*
 * The reference reader's verdicts on mutants, and Retune's: both refuse, or both read the same tensors and
 * metadata. If RETUNE_PYTHON names a Python that has safetensors, `npm run test:long` asks it about 20,000 mutants.
 */

/** Where Retune is stricter than the reference on purpose, and how it says so. */
const STRICTER: Readonly<Record<string, RegExp>> = {
  // The reference takes the last one; another reader may take the first, and load other weights.
  'a key twice': /^the safetensors header is not valid JSON at byte \d+: the key ".*" occurs twice; /s,
};

it('agrees with the reference reader on the committed corpus', async () => {
  const { files, verdicts } = readCorpus();
  expect(verdicts).toHaveLength(files.length);
  await compare(files, verdicts);
});

// Python is not a dependency of this project.
const PYTHON = process.env.RETUNE_PYTHON;
const long = import.meta.env.MODE === 'long';
if (long && PYTHON) {
  it('agrees with the reference reader on 20,000 mutants', async () => {
    const files = await mutants(20_000);
    await compare(files, askReference(PYTHON, files));
  });
}

async function compare(corpus: readonly Uint8Array[], verdicts: readonly Verdict[]): Promise<void> {
  const kinds = new Map<string, number>();
  const disagreements: string[] = [];
  for (const [i, bytes] of corpus.entries()) {
    const [own, reference] = [await verdictOf(bytes), verdicts[i]!];
    if ('accepted' in own && 'accepted' in reference && own.accepted === reference.accepted) {
      continue;
    }
    if ('refused' in own && 'refused' in reference) {
      continue;
    }
    const why = 'refused' in own && Object.keys(STRICTER).find((kind) => STRICTER[kind]!.test(own.refused));
    if (why) {
      kinds.set(why, (kinds.get(why) ?? 0) + 1);
    } else {
      disagreements.push(`${i}: ${JSON.stringify(own)}, the reference: ${JSON.stringify(reference)}`);
    }
  }
  console.log(
    `${corpus.length} files, stricter than the reference on purpose: ${JSON.stringify(Object.fromEntries(kinds))}`,
  );
  expect(disagreements).toEqual([]);
  expect(verdicts.filter((verdict) => 'accepted' in verdict).length).toBeGreaterThan(corpus.length / 20);
}

/** As tests/reference/safetensors_verdicts.py says it. */
async function verdictOf(bytes: Uint8Array): Promise<Verdict> {
  try {
    const { tensors, metadata } = await openSafetensors(source('model.safetensors', bytes));
    const sha256 = (data: Uint8Array | string) => createHash('sha256').update(data).digest('hex');
    const read = await Promise.all(
      [...tensors.values()].map(
        async (info) => [info.name, info.dtype, info.shape, sha256(await readTensor(info))] as const,
      ),
    );
    const sorted = read.toSorted(([a], [b]) => byCodePoint(a, b));
    const pairs = Object.entries(metadata).toSorted(([a], [b]) => byCodePoint(a, b));
    return { accepted: sha256(JSON.stringify([sorted, pairs])) };
  } catch (error) {
    if (!(error instanceof UserError)) {
      throw error;
    }
    return { refused: error.message.replace('model.safetensors: ', '') };
  }
}
