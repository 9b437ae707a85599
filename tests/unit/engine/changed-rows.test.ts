import { expect, it } from 'vitest';
import { runInputs } from '../../../src/engine/files/files.ts';
import { RunFiles } from '../../../src/engine/files/inputs.ts';
import type { KeptAdapters } from '../../../src/engine/files/kept-adapters.ts';
import type { KeptBases } from '../../../src/engine/files/kept-bases.ts';
import type { ChosenInputs } from '../../../src/engine/protocol/protocol.ts';
import { newRecord } from '../../../src/engine/runs/run-record.ts';
import { defaultRecipe } from '../../../src/formats/recipe.ts';
import { leaveOut, noChanges } from '../../../src/formats/row-changes.ts';
import type { BaseCache } from '../../../src/model/base/cache/base-cache.ts';
import type { KeptInputs } from '../../../src/storage/kept-inputs.ts';

const hash = 'a'.repeat(64);
const identity = { base: hash, source: 'none', train: hash, validation: hash, tokens: hash, recipe: hash };
const changes = leaveOut(noChanges(hash), [3]);
const [train, validation] = [new File(['rows'], 'train.jsonl'), new File(['more'], 'val.jsonl')];
const base = { name: 'base', files: [] };
const inputs: ChosenInputs = {
  base,
  source: undefined,
  train: { file: train, changes },
  validation: { file: validation, changes: noChanges(hash) },
  recipe: defaultRecipe(),
};

it('a run keeps the changes over its rows, and takes them up with whatever files it resumes', async () => {
  const about = { id: 'r', name: 'V2', maxSteps: 1, precision: 'auto', moment: undefined } as const;
  const record = newRecord({ ...about, inputs, identity, sourceLineage: undefined });
  expect(record.changes).toEqual({ train: changes, validation: undefined });
  const files = new RunFiles(
    { inputs: (found: ChosenInputs) => Promise.resolve(found) } as unknown as KeptAdapters,
    { resolved: (chosen: ChosenInputs['base']) => Promise.resolve(chosen) } as unknown as KeptBases,
    { folder: () => Promise.resolve(undefined) } as unknown as BaseCache,
    { get: () => Promise.resolve({ train, validation }) } as unknown as KeptInputs,
  );
  const kept = await files.of(record, { base });
  expect(runInputs(kept).train.changes).toEqual(changes);
  expect(runInputs(kept).validation!.changes).toBeUndefined();
  // Chosen again, and changed meanwhile in the page: the run goes on with its own.
  const given = {
    base,
    train: { file: train, changes: leaveOut(changes, [4]) },
    validation: inputs.validation!,
  };
  expect((await files.of(record, given)).train.changes).toEqual(changes);
  // A run of an earlier version knows of no changes.
  const earlier = { ...record, changes: undefined };
  expect((await files.of(earlier, given)).train.changes).toBeUndefined();
  expect((await files.outside(record)).train.changes).toEqual(changes);
});
