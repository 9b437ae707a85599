import type {
  Answer,
  ChosenFile,
  ChosenFolder,
  ChosenInputs,
  EngineApi,
  PlanDevice,
  RowsFacts,
} from '../../engine/protocol/protocol.ts';
import { defaultRecipe, type Recipe } from '../../formats/recipe.ts';
import { anyChanges, leaveOut, noChanges, type RowChanges } from '../../formats/row-changes.ts';
import { UserError } from '../../formats/user-error.ts';
import type { Remedy } from '../../run/checks/advisory.ts';
import type { DeviceKey } from '../../run/device-settings.ts';
import type { Columns } from '../../text/columns.ts';
import type { AppState, Slots } from '../shared/app-state.ts';
import { Asking } from '../shared/asking.ts';
import { demoFiles } from '../shared/demo.ts';
import {
  deviceSettings,
  hasProblem,
  storedDeviceInputs,
  storeDeviceInputs,
  withEdit,
} from '../shared/device-inputs.ts';
import type { Store } from '../shared/store.ts';
import { conflict } from './conflict.ts';
import { recipeOfRun } from './held-out.ts';
import { RecipeChoices } from './recipe-choices.ts';
import { RECIPE_FIELDS, type RecipeField, withSettings } from './recipe-fields.ts';

export type SlotName = keyof Slots;
/** What the engine is asked about. */
export type Asked = SlotName | 'recipe' | 'plan';

const PLAN_DELAY_MS = 250;
const CHANGES_DELAY_MS = 600;

/** Stages one and two: what was chosen, the recipe, and what the engine makes of them together. */
export class Choices {
  readonly recipe: RecipeChoices;
  readonly #engine: EngineApi;
  readonly #store: Store<AppState>;
  readonly #asking = new Asking<Asked>();
  #planTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #changesTimers = new Map<SlotName, ReturnType<typeof setTimeout>>();

  constructor(engine: EngineApi, store: Store<AppState>) {
    this.#engine = engine;
    this.#store = store;
    this.recipe = new RecipeChoices(engine, store, this.#asking, (before, now) =>
      this.#afterRecipe(before, now),
    );
  }

  async loadDefaults(): Promise<void> {
    this.#store.update({ deviceInputs: storedDeviceInputs() });
    const recipe = await this.#engine.defaultRecipe();
    if (!this.#store.state.recipe) {
      this.#store.update({ recipe });
    }
  }

  async choose<K extends SlotName>(slot: K, chosen: Slots[K]['chosen']): Promise<void> {
    if (slot === 'source' && chosen) {
      this.#store.update({ fresh: false });
    }
    this.#setSlot(slot, { chosen, reading: false } as Slots[K]);
    // An adapter and rows mean something only together with their base.
    const others = slot === 'base' ? (['source', 'train', 'validation'] as const) : [];
    for (const other of others) {
      this.#unread(other);
    }
    if (!(await this.#inspect(slot))) {
      return;
    }
    for (const other of others) {
      await this.#inspect(other);
    }
    this.replan();
  }

  /** Some questions of a file of rows or of questions. */
  promptsIn(file: ChosenFile, of: 'rows' | 'questions', most: number): Promise<Answer<string[]>> {
    return this.#engine.promptsIn(file, of, most);
  }

  /** Says which columns of the rows to read as what. */
  async setColumns(slot: 'train' | 'validation', columns: Columns): Promise<void> {
    const { chosen } = this.#store.state.slots[slot];
    if (chosen) {
      await this.choose(slot, { ...chosen, columns });
    }
  }

  /** Leaves rows out of a file, edits or restores them, over the file; `change` gets the changes so far. */
  async changeRows(slot: 'train' | 'validation', change: (changes: RowChanges) => RowChanges): Promise<void> {
    const { chosen } = this.#store.state.slots[slot];
    if (!chosen) {
      return;
    }
    let { changes } = chosen;
    if (!changes) {
      this.#setSlot(slot, { chosen, reading: true });
      const answer = await this.#asking.ask(slot, (signal) => this.#engine.hashRows(chosen, signal));
      if (!answer?.ok) {
        if (answer) {
          this.#setSlot(slot, { chosen, answer, reading: false });
        }
        return;
      }
      changes = noChanges(answer.value);
    }
    await this.choose(slot, { ...chosen, changes: anyChanges(change(changes)) });
  }

  /** Takes changes over a file of rows, which is read again once they have paused. */
  setChanges(slot: 'train' | 'validation', changes: RowChanges | undefined): void {
    const { chosen } = this.#store.state.slots[slot];
    if (!chosen) {
      return;
    }
    clearTimeout(this.#changesTimers.get(slot));
    this.#asking.drop(slot);
    const changed = { ...chosen, changes };
    this.#setSlot(slot, { chosen: changed, reading: true });
    this.replan();
    const read = () => {
      if (this.#store.state.slots[slot].chosen === changed) {
        void this.choose(slot, changed);
      }
    };
    this.#changesTimers.set(slot, setTimeout(read, CHANGES_DELAY_MS));
  }

  /** Chooses the adapter in a zip. */
  async chooseZip(file: File): Promise<void> {
    this.#store.update({ fresh: false });
    const chosen: ChosenFolder = { name: file.name, files: [] };
    this.#setSlot('source', { chosen, reading: true });
    const answer = await this.#asking.ask('source', (signal) => this.#engine.openAdapterZip(file, signal));
    if (answer?.ok) {
      await this.choose('source', answer.value);
    } else if (answer) {
      this.#setSlot('source', { chosen, answer, reading: false });
      this.replan();
    }
  }

  /** Cancels the engine's work on one input, which can then be chosen again. */
  cancel(asked: Asked): void {
    this.#asking.cancel(asked, new UserError(this.#canceled(asked)));
  }

  /** Repeats what was canceled or failed. */
  again(asked: Asked): void {
    if (asked === 'plan') {
      this.replan();
    }
  }

  /** Chooses the bundled demo's files; where the server lacks them, nothing changes and the page says so. */
  async chooseDemo(): Promise<void> {
    try {
      const { base, source, train, validation, recipe } = await demoFiles();
      await this.recipe.import(recipe);
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
    if (fresh) {
      void this.choose('source', undefined);
    } else {
      this.replan();
    }
  }

  setHoldOut(holdOut: boolean): void {
    this.#store.update({ holdOut });
    this.replan();
  }

  /** Does what mends something that is worth a look. */
  async mend(remedy: Remedy): Promise<void> {
    const { recipe = defaultRecipe() } = this.#store.state;
    switch (remedy.kind) {
      case 'set': {
        this.recipe.take(withSettings(recipe, remedy.settings), this.#store.state.recipeFile);
        return;
      }
      case 'hold-out':
        this.#store.update({ holdOut: true });
        return this.choose('validation', undefined);
      case 'leave-out':
        return this.changeRows('train', (changes) => leaveOut(changes, remedy.rows));
    }
  }

  editDevice(name: DeviceKey, text: string): void {
    const deviceInputs = withEdit(this.#store.state.deviceInputs, name, text);
    this.#store.update({ deviceInputs, deviceInputsKept: storeDeviceInputs(deviceInputs) });
    this.replan();
  }

  /** Everything a run needs, once everything is chosen and understood. */
  inputs(): ChosenInputs | undefined {
    const { slots, fresh, drafts, deviceInputs } = this.#store.state;
    const recipe = recipeOfRun(this.#store.state);
    const { base, source, train, validation } = slots;
    const sound = [base, train, ...(fresh ? [] : [source]), ...(validation.chosen ? [validation] : [])];
    if (
      !recipe ||
      hasProblem(deviceInputs) ||
      relevantDrafts(drafts, fresh).length > 0 ||
      conflict(this.#store.state) !== undefined ||
      !sound.every((slot) => slot.answer?.ok)
    ) {
      return undefined;
    }
    return {
      base: base.chosen!,
      source: fresh ? undefined : source.chosen,
      train: asRead(train)!,
      validation: asRead(validation),
      recipe,
    };
  }

  #afterRecipe(before: Recipe | undefined, now: Recipe): void {
    if (before?.training.maxLength !== now.training.maxLength) {
      for (const slot of ['train', 'validation'] as const) {
        void this.#inspect(slot).then(() => this.replan());
      }
    }
    this.replan();
  }

  #setSlot<K extends SlotName>(name: K, slot: Slots[K]): void {
    this.#store.update({ slots: { ...this.#store.state.slots, [name]: slot } });
  }

  /** Resolves to whether nothing else has been chosen meanwhile. */
  async #inspect(name: SlotName): Promise<boolean> {
    const { chosen } = this.#store.state.slots[name];
    const question = chosen && this.#question(name);
    this.#asking.drop(name);
    if (!chosen) {
      return true;
    }
    this.#setSlot(name, { chosen, reading: question !== undefined } as Slots[typeof name]);
    if (!question) {
      return true;
    }
    const answer = await this.#asking.ask<unknown>(name, question);
    if (!answer) {
      return false;
    }
    this.#setSlot(name, { chosen, answer, reading: false } as Slots[typeof name]);
    if (!answer.ok && (name === 'train' || name === 'validation')) {
      const rows = chosen as ChosenFile;
      const names = await this.#asking.ask(name, (signal) => this.#engine.columnNames(rows, signal));
      if (names?.ok && names.value.length > 0) {
        this.#setSlot(name, {
          chosen: rows,
          answer: answer as Answer<RowsFacts>,
          reading: false,
          names: names.value,
        });
      }
      return names !== undefined;
    }
    return true;
  }

  /** What is being read for an earlier base no longer applies. */
  #unread(name: SlotName): void {
    this.#asking.drop(name);
    const { chosen, reading } = this.#store.state.slots[name];
    if (reading) {
      this.#setSlot(name, { chosen, reading: false } as Slots[typeof name]);
    }
  }

  #canceled(asked: Asked): string {
    const { slots, readingRecipe = 'The recipe' } = this.#store.state;
    const again = 'choose it again, or another one';
    switch (asked) {
      case 'recipe':
        return `${readingRecipe}: reading it was canceled; ${again}.`;
      case 'plan':
        return `${nameOf(slots.train.chosen)}: estimating a run with it was canceled; try again before you start.`;
      default:
        return `${nameOf(slots[asked].chosen)}: reading it was canceled; ${again}.`;
    }
  }

  /** undefined while the base, which the question needs, is not there. */
  #question(name: SlotName): ((signal: AbortSignal) => Promise<Answer<unknown>>) | undefined {
    const { slots, recipe = defaultRecipe() } = this.#store.state;
    const { chosen } = slots[name];
    const engine = this.#engine;
    if (name === 'base') {
      return (signal) => engine.inspectBase(chosen as ChosenFolder, signal);
    }
    const base = slots.base.answer?.ok ? slots.base.chosen : undefined;
    if (!base) {
      return undefined;
    }
    if (name === 'source') {
      return (signal) => engine.inspectAdapter(base, chosen as ChosenFolder, signal);
    }
    const use = name === 'train' ? 'train' : 'evaluate';
    const { maxLength } = recipe.training;
    return (signal) => engine.inspectRows(base, chosen as ChosenFile, { maxLength, use }, signal);
  }

  /** Asks for a new plan once typing has paused. */
  replan(): void {
    clearTimeout(this.#planTimer);
    this.#asking.drop('plan');
    const inputs = this.inputs();
    this.#store.update({ plan: undefined, planning: inputs !== undefined });
    if (!inputs) {
      this.#store.update({ advisories: undefined });
      return;
    }
    this.#planTimer = setTimeout(async () => {
      const device = planDevice(this.#store.state);
      const plan = await this.#asking.ask('plan', (signal) => this.#engine.plan(inputs, device, signal));
      if (plan) {
        const advisories = plan.ok ? plan.value.advisories : undefined;
        this.#store.update({ plan, planning: false, advisories });
      }
    }, PLAN_DELAY_MS);
  }
}

/** The rows with what was read as what, so that a run keeps that whatever a later version guesses. */
const asRead = ({ chosen, answer }: Slots['train']): ChosenFile | undefined =>
  chosen && answer?.ok && answer.value.columns ? { ...chosen, columns: answer.value.columns } : chosen;

const nameOf = (chosen: ChosenFolder | ChosenFile | undefined): string =>
  chosen === undefined ? '' : 'file' in chosen ? chosen.file.name : chosen.name;

/** Where there is no device the page already says so. */
function planDevice({ device, deviceInputs }: AppState): PlanDevice {
  const { memory: budget, precision: chosen } = deviceSettings(deviceInputs);
  if (!device?.ok) {
    return { budget, software: true, bindingBytes: Infinity };
  }
  const { software, bindingBytes, precision } = device.value;
  return { budget, software, bindingBytes, precision: chosen === 'auto' ? precision : chosen };
}

/** What is wrong in the recipe as it would be used: a new adapter's settings do not count where V1 brings its own. */
export function relevantDrafts(drafts: AppState['drafts'], fresh: boolean): RecipeField[] {
  return RECIPE_FIELDS.filter((field) => drafts[field.key] && (fresh || field.group !== 'New adapter'));
}
