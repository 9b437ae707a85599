import { type Correction, correctionOf, rebased } from '../../src/corrections/correction.ts';
import { correctionRows } from '../../src/corrections/correction-rows.ts';
import { fewRowsRecipe, recipeChanges } from '../../src/corrections/few-rows-recipe.ts';
import { formName, usualForm } from '../../src/corrections/row-form.ts';
import { answer } from '../../src/engine/answer.ts';
import type { CorrectionsApi } from '../../src/engine/protocol/corrections.ts';
import type { RunRecord } from '../../src/engine/protocol/protocol.ts';
import { blobSource } from '../../src/formats/blob-source.ts';

const KEY = 'fake trays';

/** What the engine keeps by run, and the fake in the tab's session storage. */
export interface FakeTrays {
  waiting: Map<string, readonly Correction[]>;
  corrected: Map<string, readonly Correction[]>;
  save: () => void;
}

export function fakeTrays(): FakeTrays {
  type Lists = [string, readonly Correction[]][];
  const kept = JSON.parse(sessionStorage.getItem(KEY) ?? '[[],[]]') as [Lists, Lists];
  const trays = { waiting: new Map(kept[0]), corrected: new Map(kept[1]) };
  return {
    ...trays,
    save: () => sessionStorage.setItem(KEY, JSON.stringify([[...trays.waiting], [...trays.corrected]])),
  };
}

/** Corrections without an engine: rows come from the engine's own code, of earlier ones only those that are chosen. */
export function fakeCorrections(
  trays: FakeTrays,
  runs: ReadonlyMap<string, RunRecord>,
  rows: string | undefined,
): CorrectionsApi {
  return {
    tray: async (run) => {
      const trained = [...runs.values()].filter(({ sourceRun }) => sourceRun === run);
      const value = (trays.waiting.get(run) ?? []).map((one) => {
        const found = trained.find(
          ({ id }) => correctionOf(trays.corrected.get(id) ?? [], one)?.answer === one.answer,
        );
        return found ? { ...one, trainedIn: { run: found.id, name: found.name } } : one;
      });
      return { ok: true, value };
    },
    putTray: async (run, corrections, before) => {
      trays.waiting.set(run, rebased(corrections, before, trays.waiting.get(run) ?? []));
      trays.save();
      return { ok: true, value: undefined };
    },
    correctionFiles: async (run) => {
      const { name, inputs } = runs.get(run)!;
      const train = rows === undefined ? undefined : { file: new File([rows], inputs.train) };
      const base = { name: 'base', files: [new File(['{}'], 'config.json')] };
      return { ok: true, value: { runs: [{ run, name, file: inputs.train, train }], base } };
    },
    prepareCorrections: (run, corrections, { runs: files, validation }, { share, given }) =>
      answer(async () => {
        const { recipe } = runs.get(run)!;
        const found = files.flatMap(({ run: id, train = given[id] }) => train ?? []);
        const made = await correctionRows(
          corrections,
          found.map(({ file }) => ({ source: blobSource(file.name, file, ''), heldOut: new Set<number>() })),
          { share, seed: 42, own: true, otherwise: usualForm(false, undefined) },
        );
        const few = fewRowsRecipe(recipe, corrections.length + made.replayed, validation !== undefined);
        return {
          train: { file: new File([made.train], 'corrections.jsonl'), corrected: corrections },
          validation,
          recipe: few,
          changes: recipeChanges(recipe, few),
          corrections: corrections.length,
          replayed: made.replayed,
          available: made.available,
          form: formName(made.form),
          missing: files.flatMap(({ run: id, file, train }) =>
            train || given[id] ? [] : [{ run: id, file }],
          ),
          notes: made.notes,
        };
      }),
  };
}
