import type { Folder } from '../../formats/byte-source.ts';
import type { Recipe } from '../../formats/recipe.ts';
import type { RowsSource } from '../../text/columns.ts';

/** What the user chooses. */
export interface RunInputs {
  base: Folder;
  /** V1; undefined for a fresh adapter from the recipe's lora section. */
  source: Folder | undefined;
  train: RowsSource;
  validation: RowsSource | undefined;
  recipe: Recipe;
}
