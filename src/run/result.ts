import type { AdapterConfig } from '../formats/adapter-config.ts';
import { type Recipe, recipeToYaml } from '../formats/recipe.ts';
import { writeTrainerState } from '../formats/trainer-state.ts';
import { adapterFiles, type Checkpoint, CURSOR, cursorFile } from './checkpoint/checkpoint.ts';
import { type Files, textFile } from './checkpoint/store.ts';
import { modelCard } from './model-card.ts';

/** The files of a finished run: what PEFT loads, its history, and what Retune resumes from. */
export async function resultFiles(
  { cursor, state, adapter }: Checkpoint,
  { config, recipe }: { config: AdapterConfig; recipe: Recipe },
): Promise<Files> {
  const files: Files = {
    ...adapterFiles(adapter, config),
    'README.md': textFile(modelCard({ cursor, state, recipe, config })),
    'trainer_state.json': textFile(writeTrainerState(state)),
    'training_config.yaml': textFile(recipeToYaml(recipe)),
  };
  return { ...files, [CURSOR]: await cursorFile(cursor, files) };
}
