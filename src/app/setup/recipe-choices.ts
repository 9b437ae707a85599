import type { EngineApi } from '../../engine/protocol/protocol.ts';
import { defaultRecipe, type Recipe } from '../../formats/recipe.ts';
import type { AppState } from '../shared/app-state.ts';
import type { Asking } from '../shared/asking.ts';
import type { Store } from '../shared/store.ts';
import { recipeOfRun } from './held-out.ts';
import { type RecipeField, setField } from './recipe-fields.ts';

/** The recipe: typed, from a file, or another run's. */
export class RecipeChoices {
  readonly #engine: EngineApi;
  readonly #store: Store<AppState>;
  readonly #asking: Pick<Asking<'recipe'>, 'ask'>;
  readonly #changed: (before: Recipe | undefined, now: Recipe) => void;

  constructor(
    engine: EngineApi,
    store: Store<AppState>,
    asking: Pick<Asking<'recipe'>, 'ask'>,
    changed: (before: Recipe | undefined, now: Recipe) => void,
  ) {
    this.#engine = engine;
    this.#store = store;
    this.#asking = asking;
    this.#changed = changed;
  }

  /** Takes what was typed into a field; what cannot be read stays a draft, with the reason. */
  edit(field: RecipeField, text: string): void {
    const { recipe = defaultRecipe(), drafts } = this.#store.state;
    const others = Object.fromEntries(Object.entries(drafts).filter(([key]) => key !== field.key));
    const result = setField(field, recipe, text);
    if ('problem' in result) {
      this.#store.update({ drafts: { ...others, [field.key]: { text, problem: result.problem } } });
      return;
    }
    this.#store.update({ recipe: result.recipe, drafts: others });
    this.#changed(recipe, result.recipe);
  }

  /** Takes a recipe's file, of this program or another, or says why it cannot. */
  async import(file: File): Promise<void> {
    this.#store.update({ readingRecipe: file.name });
    const answer = await this.#asking.ask('recipe', (signal) => this.#engine.parseRecipe(file, signal));
    if (!answer) {
      return;
    }
    this.#store.update({ readingRecipe: undefined });
    if (!answer.ok) {
      this.#store.update({ recipeFile: { sentence: answer.sentence } });
      return;
    }
    const { recipe, warnings, reading } = answer.value;
    this.take(recipe, { name: file.name, warnings, ...(reading && { reading }) });
  }

  /** Takes the recipe that comes with the program. */
  async reset(): Promise<void> {
    this.take(await this.#engine.defaultRecipe(), undefined);
  }

  /** Takes a recipe whole, and where it is from. */
  take(recipe: Recipe, recipeFile: AppState['recipeFile']): void {
    const before = this.#store.state.recipe;
    this.#store.update({ recipe, drafts: {}, recipeFile });
    this.#changed(before, recipe);
  }

  /** As a file: the next run's, unless another `recipe` is given. */
  yaml(recipe = recipeOfRun(this.#store.state)): Promise<string> {
    return this.#engine.recipeYaml(recipe ?? defaultRecipe());
  }
}
