import { parseAdapterConfig } from '../formats/adapter-config.ts';
import { type ByteSource, bytesSource, type Folder } from '../formats/byte-source.ts';
import { readJson } from '../formats/json.ts';
import { MAX_BYTES, readText } from '../formats/read-text.ts';
import { parseOwnRecipe } from '../formats/recipe.ts';
import { sha256Chunks } from '../formats/sha256.ts';
import { parseTrainerState, type TrainerState } from '../formats/trainer-state.ts';
import { UserError } from '../formats/user-error.ts';
import { encodeUtf8 } from '../formats/utf8.ts';
import { CURSOR, cursorText, readCursor, verifyFiles, withoutHashes } from './checkpoint/checkpoint.ts';
import { bestStep } from './checkpoint/saved-best.ts';
import type { RunStore } from './checkpoint/store.ts';
import { modelCard } from './model-card.ts';

/** Which step of a run to take as its result. */
export type Take = 'best' | 'last' | number;

/** What is read of a run for that. */
export type TakenFrom = Pick<RunStore, 'name' | 'checkpoints' | 'openCheckpoint' | 'openResult'>;

/** A step of a run in the form of a result. */
export interface Taken {
  step: number;
  /** In the order of a result's files. */
  files: ReadonlyMap<string, ByteSource>;
}

const KEPT = [
  'adapter_model.safetensors',
  'adapter_config.json',
  'trainer_state.json',
  'training_config.yaml',
] as const;
const CARD = 'README.md';

/**
 * A step of a run, finished or not, as its result would be if the run had ended there: the adapter as it was, with a
 * card that says which step it is. Only checkpoints and the result can be taken; nothing is written to the run. Throws
 * UserError.
 */
export async function takeStep(run: TakenFrom, take: Take): Promise<Taken> {
  const result = await resultOf(run);
  const saved = (await run.checkpoints()).filter((step) => step > 0);
  const steps = [...new Set([...saved, ...(result ? [result.step] : [])])].toSorted((a, b) => a - b);
  const last = steps.at(-1);
  if (last === undefined) {
    throw new UserError(
      `${run.name}: there is no checkpoint and no result to take; choose the output of a run that has one.`,
    );
  }
  const folderOf = (step: number): Promise<Folder> =>
    saved.includes(step) ? run.openCheckpoint(step) : run.openResult();
  const step = take === 'last' ? last : typeof take === 'number' ? take : await best(run, steps, folderOf);
  if (!steps.includes(step)) {
    throw new UserError(
      `${run.name}: step ${step} is not kept, expected one of ${steps.join(', ')}; take one of these, the best or the last.`,
    );
  }
  return { step, files: await takenFiles(await folderOf(step)) };
}

/** The step of a finished run's result, unless its adapter is of another one, of which there is a checkpoint. */
async function resultOf(run: TakenFrom): Promise<{ step: number } | undefined> {
  const folder = await run.openResult();
  if (!(await folder.open(CURSOR))) {
    return undefined;
  }
  const { step } = await readCursor(folder);
  const { best_model_checkpoint: best } = await stateIn(folder);
  const { training } = await recipeIn(folder);
  return training.loadBestModelAtEnd && best !== null ? undefined : { step };
}

async function best(
  run: TakenFrom,
  steps: readonly number[],
  folderOf: (step: number) => Promise<Folder>,
): Promise<number> {
  const { log_history: history } = await stateIn(await folderOf(steps.at(-1)!));
  const step = bestStep(steps, history);
  if (step === undefined) {
    throw new UserError(
      `${run.name}: no step that is kept (${steps.join(', ')}) was evaluated, so there is no best one; name a step, or take the last.`,
    );
  }
  return step;
}

async function takenFiles(folder: Folder): Promise<ReadonlyMap<string, ByteSource>> {
  const verified = await verifyFiles(folder, KEPT);
  const { files: hashes } = verified;
  const cursor = { ...withoutHashes(verified), taken: true as const };
  const config = await opened(folder, 'adapter_config.json');
  const card = modelCard({
    cursor,
    state: await stateIn(folder),
    recipe: await recipeIn(folder),
    config: parseAdapterConfig(await readJson(config), config.name),
  });
  const readme = encodeUtf8(card);
  const [adapter, adapterConfig, ...others] = KEPT;
  const order = [adapter, adapterConfig, CARD, ...others];
  const sums: Record<string, string> = { ...hashes, [CARD]: await sha256Chunks([readme]) };
  const sumsInOrder = Object.fromEntries(order.map((name) => [name, sums[name]!]));
  const made: Record<string, Uint8Array> = {
    [CARD]: readme,
    [CURSOR]: encodeUtf8(cursorText(cursor, sumsInOrder)),
  };
  const sources = [...order, CURSOR].map(async (name) => {
    const bytes = made[name];
    return [name, bytes ? bytesSource(name, bytes) : await opened(folder, name)] as const;
  });
  return new Map(await Promise.all(sources));
}

async function opened(folder: Folder, name: string): Promise<ByteSource> {
  const file = await folder.open(name);
  if (!file) {
    throw new UserError(`${folder.name}: ${name} is missing; take another step.`);
  }
  return file;
}

async function stateIn(folder: Folder): Promise<TrainerState> {
  const file = await opened(folder, 'trainer_state.json');
  return parseTrainerState(await readJson(file), file.name);
}

async function recipeIn(folder: Folder) {
  const file = await opened(folder, 'training_config.yaml');
  return parseOwnRecipe(await readText(file, MAX_BYTES.recipe, 'a training_config.yaml'), file.name);
}
