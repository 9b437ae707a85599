import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Folder } from '../formats/byte-source.ts';
import { MAX_BYTES, readText } from '../formats/read-text.ts';
import { parseOwnRecipe, type Recipe } from '../formats/recipe.ts';
import { UserError } from '../formats/user-error.ts';
import type { HandedRun } from '../handover/handover.ts';
import { CURSOR, verifyFiles } from '../run/checkpoint/checkpoint.ts';
import { nodeFolder } from './node-files.ts';

const CHECKPOINT = /^checkpoint-(\d+)$/;

/** A run's output as it can be handed over: its latest adapter, and what the run was started with. */
export interface OpenHandedRun {
  /** The result, or else the latest sound checkpoint. */
  adapter: Folder;
  /** Whether that is the result, or which checkpoint. */
  start: string;
  run: HandedRun;
  recipe: Recipe;
}

/**
 * Opens a run's output folder without writing to it. `note` is called with the reason why a checkpoint was skipped.
 * Throws UserError if nothing in it is sound.
 */
export async function openHandedRun(path: string, note: (text: string) => void): Promise<OpenHandedRun> {
  const output = await nodeFolder(path);
  const steps = (await readdir(path))
    .map((name) => CHECKPOINT.exec(name)?.[1])
    .filter((step) => step !== undefined);
  const names = steps.toSorted((a, b) => Number(b) - Number(a)).map((step) => `checkpoint-${step}`);
  const places: [string, string][] = [
    ...((await output.open(CURSOR)) ? ([[path, 'the result']] as [string, string][]) : []),
    ...names.map((name): [string, string] => [join(path, name), name]),
  ];
  let last: UserError | undefined;
  for (const [place, start] of places) {
    try {
      return await opened(place, start, path);
    } catch (error) {
      if (!(error instanceof UserError)) {
        throw error;
      }
      last = error;
      note(`${error.what}; it is skipped.`);
    }
  }
  throw (
    last ??
    new UserError(
      `${path}: neither ${CURSOR} nor a checkpoint is there, expected the output folder of a run; name that folder, or the run's inputs and --config instead of --run.`,
    )
  );
}

async function opened(place: string, start: string, path: string): Promise<OpenHandedRun> {
  const adapter = await nodeFolder(place);
  const { identity, plan } = await verifyFiles(adapter);
  const file = await adapter.open('training_config.yaml');
  if (!file) {
    throw new UserError(`${place}: training_config.yaml is missing; take another copy of the output.`);
  }
  const recipe = parseOwnRecipe(await readText(file, MAX_BYTES.recipe, 'a training_config.yaml'), file.name);
  return { adapter, start, run: { name: path, identity, moment: plan.moment }, recipe };
}
