import { recipeToYaml } from '../formats/recipe.ts';
import { writeTrainerState } from '../formats/trainer-state.ts';
import { adapterFiles, type Checkpoint, CURSOR, cursorFile } from './checkpoint/checkpoint.ts';
import { type Files, textFile } from './checkpoint/store.ts';
import type { Prepared } from './input/prepare.ts';
import { modelCard } from './model-card.ts';

/** The files of a finished run: what PEFT loads, its history, and what Retune resumes from. */
export async function resultFiles(checkpoint: Checkpoint, prepared: Prepared): Promise<Files> {
  const { cursor, state, adapter } = checkpoint;
  const files: Files = {
    ...adapterFiles(adapter, prepared.adapter.config),
    'README.md': textFile(modelCard(checkpoint, prepared)),
    'trainer_state.json': textFile(writeTrainerState(state)),
    'training_config.yaml': textFile(recipeToYaml(prepared.inputs.recipe)),
  };
  return { ...files, [CURSOR]: await cursorFile(cursor, files) };
}
