import { proxy } from 'comlink';
import { defaultRecipe, recipeProblem, type Recipe } from '../../formats/recipe.ts';
import type { Answer, ChosenFile, ChosenFolder, ChosenInputs, EngineApi } from '../../worker/protocol.ts';
import { deviceSettings, keepAllowed, keptAllowed, withEdit, type DeviceField } from './allowed.ts';
import type { AppState, Slots } from './app-state.ts';
import { demoFiles } from './demo.ts';
import { RECIPE_FIELDS, setField, type RecipeField } from './recipe-fields.ts';
import type { Store } from './store.ts';

export type SlotName = keyof Slots;

const PLAN_DELAY_MS = 250;

/** Stages one and two: what was chosen, the recipe, and what the engine makes of them together. */
export class Choices {
  readonly #engine: EngineApi;
  readonly #store: Store<AppState>;
  /** The latest question to the engine about each slot, and about the plan: answers to earlier ones are dropped. */
  readonly #asked = new Map<SlotName | 'plan', symbol>();
  #planTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(engine: EngineApi, store: Store<AppState>) {
    this.#engine = engine;
    this.#store = store;
  }

  async loadDefaults(): Promise<void> {
    const allowed = keptAllowed();
    this.#store.update({ allowed });
    await this.#engine.setDevice(deviceSettings(allowed));
    const recipe = await this.#engine.defaultRecipe();
    if (!this.#store.state.recipe) this.#store.update({ recipe });
  }

  async choose<K extends SlotName>(slot: K, chosen: Slots[K]['chosen']): Promise<void> {
    if (slot === 'source' && chosen) this.#store.update({ fresh: false });
    this.#setSlot(slot, { chosen, reading: false } as Slots[K]);
    await this.#inspect(slot);
    // An adapter and rows mean something only together with their base.
    if (slot === 'base')
      for (const other of ['source', 'train', 'validation'] as const) await this.#inspect(other);
    this.#replan();
  }

  /** Takes the bundled demo's files; a server without them leaves things as they were and says so. */
  async chooseDemo(): Promise<void> {
    try {
      const { base, source, train, validation, recipe } = await demoFiles();
      await this.importRecipe(recipe);
      await this.choose('base', base);
      await this.choose('source', source);
      await this.choose('train', train);
      await this.choose('validation', validation);
    } catch (error) {
      const refusal = `The demo could not be read (${String(error)}); choose files of your own.`;
      this.#store.update({ refusal });
    }
  }

  setFresh(fresh: boolean): void {
    this.#store.update({ fresh });
    if (fresh) void this.choose('source', undefined);
    else this.#replan();
  }

  editRecipe(field: RecipeField, text: string): void {
    const { recipe = defaultRecipe(), drafts } = this.#store.state;
    const others = Object.fromEntries(Object.entries(drafts).filter(([key]) => key !== field.key));
    const result = setField(field, recipe, text);
    if ('problem' in result) {
      this.#store.update({ drafts: { ...others, [field.key]: { text, problem: result.problem } } });
      return;
    }
    this.#store.update({ recipe: result.recipe, drafts: others });
    this.#afterRecipe(recipe, result.recipe);
  }

  editDevice(key: DeviceField['key'], text: string): void {
    const allowed = withEdit(this.#store.state.allowed, key, text);
    this.#store.update({ allowed });
    keepAllowed(allowed);
    void this.#engine.setDevice(deviceSettings(allowed));
    this.#replan();
  }

  async importRecipe(file: File): Promise<void> {
    const answer = await this.#engine.parseRecipe(file);
    if (!answer.ok) {
      this.#store.update({ recipeFile: { sentence: answer.sentence } });
      return;
    }
    const { recipe, warnings, reading } = answer.value;
    this.takeRecipe(recipe, { name: file.name, warnings, ...(reading && { reading }) });
  }

  async resetRecipe(): Promise<void> {
    this.takeRecipe(await this.#engine.defaultRecipe(), undefined);
  }

  takeRecipe(recipe: Recipe, recipeFile: AppState['recipeFile']): void {
    const before = this.#store.state.recipe;
    this.#store.update({ recipe, drafts: {}, recipeFile });
    this.#afterRecipe(before, recipe);
  }

  /** Measures a pass of the run as planned. */
  async estimate(): Promise<void> {
    const inputs = this.inputs();
    if (!inputs) return;
    const { plan } = this.#store.state;
    this.#store.update({ estimate: 'measuring' });
    let estimate: AppState['estimate'];
    try {
      const answer = await this.#engine.estimate(
        inputs,
        proxy(() => undefined),
      );
      // What has been changed meanwhile has a time of its own.
      if (this.#store.state.plan === plan) estimate = answer;
    } finally {
      this.#store.update({ estimate });
    }
  }

  recipeYaml(): Promise<string> {
    return this.#engine.recipeYaml(this.#store.state.recipe ?? defaultRecipe());
  }

  /** Everything a run needs, once everything is chosen and understood. */
  inputs(): ChosenInputs | undefined {
    const { slots, fresh, recipe, drafts, allowed } = this.#store.state;
    const { base, source, train, validation } = slots;
    const sound = [base, train, ...(fresh ? [] : [source]), ...(validation.chosen ? [validation] : [])];
    if (
      !recipe ||
      allowed.problem ||
      relevantDrafts(drafts, fresh).length > 0 ||
      conflict(this.#store.state) !== undefined ||
      !sound.every((slot) => slot.answer?.ok)
    )
      return undefined;
    return {
      base: base.chosen!,
      source: fresh ? undefined : source.chosen,
      train: train.chosen!,
      validation: validation.chosen,
      recipe,
    };
  }

  #afterRecipe(before: Recipe | undefined, now: Recipe): void {
    if (before?.training.maxLength !== now.training.maxLength)
      for (const slot of ['train', 'validation'] as const)
        void this.#inspect(slot).then(() => this.#replan());
    this.#replan();
  }

  #setSlot<K extends SlotName>(name: K, slot: Slots[K]): void {
    this.#store.update({ slots: { ...this.#store.state.slots, [name]: slot } });
  }

  async #inspect(name: SlotName): Promise<void> {
    const question = Symbol(name);
    this.#asked.set(name, question);
    const { chosen } = this.#store.state.slots[name];
    if (!chosen) return;
    const asking = this.#question(name);
    this.#setSlot(name, { chosen, reading: asking !== undefined } as Slots[typeof name]);
    const answer = await asking;
    if (this.#asked.get(name) !== question) return;
    this.#setSlot(name, { chosen, answer, reading: false } as Slots[typeof name]);
  }

  /** undefined while the base, which the question needs, is not there. */
  #question(name: SlotName): Promise<Answer<unknown>> | undefined {
    const { slots, recipe = defaultRecipe() } = this.#store.state;
    const { chosen } = slots[name];
    if (name === 'base') return this.#engine.inspectBase(chosen as ChosenFolder);
    const base = slots.base.answer?.ok ? slots.base.chosen : undefined;
    if (!base) return undefined;
    if (name === 'source') return this.#engine.inspectAdapter(base, chosen as ChosenFolder);
    const use = name === 'train' ? 'train' : 'evaluate';
    const { maxLength } = recipe.training;
    return this.#engine.inspectRows(base, chosen as ChosenFile, { maxLength, use });
  }

  /** Asks for a new plan once typing has paused. */
  #replan(): void {
    clearTimeout(this.#planTimer);
    const question = Symbol('plan');
    this.#asked.set('plan', question);
    const inputs = this.inputs();
    this.#store.update({ plan: undefined, planning: inputs !== undefined, estimate: undefined });
    if (!inputs) return;
    this.#planTimer = setTimeout(async () => {
      const plan = await this.#engine.plan(inputs);
      if (this.#asked.get('plan') === question) this.#store.update({ plan, planning: false });
    }, PLAN_DELAY_MS);
  }
}

/** What is wrong in the recipe as it would be used: a new adapter's settings do not count where V1 brings its own. */
export function relevantDrafts(drafts: AppState['drafts'], fresh: boolean): RecipeField[] {
  return RECIPE_FIELDS.filter((field) => drafts[field.key] && (fresh || field.group !== 'New adapter'));
}

/** Why the recipe and what is chosen do not go together. */
export function conflict({ recipe, slots }: Pick<AppState, 'recipe' | 'slots'>): string | undefined {
  if (!recipe) return undefined;
  const { valSize, loadBestModelAtEnd } = recipe.training;
  const validated = slots.validation.chosen !== undefined;
  if (valSize !== undefined && validated)
    return 'Rows held back and the validation file both say what to validate on; leave one of them out.';
  if (loadBestModelAtEnd && valSize === undefined && !validated)
    return 'To keep the best there must be something to validate on: choose validation rows, or hold rows back.';
  if (!problems.has(recipe)) problems.set(recipe, recipeProblem(recipe));
  return problems.get(recipe);
}

/** What was found of each recipe: the page asks at every step of a run. */
const problems = new WeakMap<Recipe, string | undefined>();
