import type { FamilyMember, RunNotes } from '../../engine/protocol/comparison.ts';
import type { HandoverStart } from '../../engine/protocol/handover.ts';
import type { Answer, EngineApi, InputPart, RunRecord } from '../../engine/protocol/protocol.ts';
import type { Following } from '../../engine/watch.ts';
import type { Recipe } from '../../formats/recipe.ts';
import { mayRead } from '../../platform/permission.ts';
import type { Choices } from '../setup/choices.ts';
import type { AppState } from '../shared/app-state.ts';
import { askToRead } from '../shared/browser-questions.ts';
import { isDemoBase } from '../shared/demo.ts';
import { demoBase } from '../shared/demo-tests.ts';
import { FollowedWork } from '../shared/followed-work.ts';
import { fromStorage } from '../shared/from-storage.ts';
import { neededHandles } from '../shared/needed-handles.ts';
import { Store } from '../shared/store.ts';

const PARTS = ['base', 'source', 'train', 'validation'] as const satisfies InputPart[];

interface LineageState {
  notes: readonly RunNotes[];
  family: readonly FamilyMember[];
  /** The run whose page is open. */
  selected?: string | undefined;
  /** What is in progress, and the outcome of the last action. */
  busy?: 'packing' | 'importing' | 'continuing' | 'handing over' | undefined;
  /** Its progress, such as "34%". */
  share?: string | undefined;
  said?: { kind: 'good' | 'bad'; text: string } | undefined;
}

/** The runs of this browser as a family, and what can be done with each. */
export class Lineage {
  readonly store = new Store<LineageState>({ notes: [], family: [] });
  readonly #engine: EngineApi;
  readonly #app: Store<AppState>;
  readonly #choices: Choices;
  readonly #following = new FollowedWork((share) => this.store.update({ share }));
  /** What the work is done with. */
  #name = '';

  constructor(engine: EngineApi, app: Store<AppState>, choices: Choices) {
    this.#engine = engine;
    this.#app = app;
    this.#choices = choices;
  }

  async refresh(): Promise<void> {
    const all = () => Promise.all([this.#engine.runs(), this.#engine.runNotes(), this.#engine.family()]);
    const found = await fromStorage(this.#app, all, undefined);
    if (!found) {
      return;
    }
    const [runs, notes, family] = found;
    this.#app.update({ runs });
    const { selected } = this.store.state;
    this.store.update({
      notes,
      family,
      selected: notes.some(({ id }) => id === selected) ? selected : undefined,
    });
  }

  select(selected: string | undefined): void {
    this.store.update({ selected, said: undefined });
  }

  async rename(id: string, name: string): Promise<void> {
    if (this.#fine(await this.#engine.renameRun(id, name))) {
      await this.refresh();
    }
  }

  async annotate(id: string, note: string): Promise<void> {
    if (this.#fine(await this.#engine.annotateRun(id, note))) {
      await this.refresh();
    }
  }

  /** Takes a checkpoint as the run's result; undefined for its result itself. */
  async take(id: string, step: number | undefined): Promise<boolean> {
    const answer = await this.#engine.takeStep(id, step);
    if (this.#fine(answer)) {
      await this.refresh();
    }
    return answer.ok;
  }

  recipeYaml(recipe: Recipe): Promise<string> {
    return this.#engine.recipeYaml(recipe);
  }

  archive({ id, name }: Pick<RunNotes, 'id' | 'name'>): Promise<Blob | undefined> {
    return this.#work('packing', name, async ({ onProgress, signal }) => {
      const answer = await this.#engine.archiveRun(id, onProgress, signal);
      return this.#fine(answer) ? answer.value : undefined;
    });
  }

  /** The run for a cluster, as a zip. */
  handOver(run: RunRecord, start: HandoverStart): Promise<Blob | undefined> {
    const { id, name } = run;
    return this.#work('handing over', name, async ({ onProgress, signal }) => {
      await this.#askFor(run, PARTS, 'to hand the run over');
      const files = await this.#engine.handoverFiles(id);
      if (!this.#fine(files)) {
        return undefined;
      }
      const answer = await this.#engine.handOver(id, files.value, start, onProgress, signal);
      return this.#fine(answer) ? answer.value : undefined;
    });
  }

  async import(file: File): Promise<void> {
    await this.#work('importing', file.name, async ({ onProgress, signal }) => {
      const answer = await this.#engine.importRun(file, onProgress, signal);
      // The zip of an adapter is no run, but what a run starts from.
      const adapter = answer.ok ? undefined : await this.#engine.openAdapterZip(file, signal);
      if (adapter?.ok) {
        await this.#choices.choose('source', adapter.value);
        this.#app.update({ view: 'setup' });
        return;
      }
      if (!this.#fine(answer)) {
        return;
      }
      await this.refresh();
      this.select(answer.value.id);
      this.store.update({ said: { kind: 'good', text: `${answer.value.name} was added to your runs.` } });
    });
  }

  /** Ends the packing, handing over or importing. */
  cancel(): void {
    const { busy } = this.store.state;
    this.#following.cancel(
      busy === 'importing'
        ? `${this.#name}: the import was canceled and nothing was kept; choose it again to import it.`
        : `${this.#name}: the export was canceled; export it again when you want it.`,
    );
  }

  /**
   * Goes to stage one with the run's result, or what was taken as that, as the source, with its recipe, and with its
   * base where the browser can still reach it.
   */
  async continueFrom(run: RunRecord): Promise<void> {
    await this.#work('continuing', run.name, async () => {
      await this.#askFor(run, ['base'], 'to train on it again');
      const answer = await this.#engine.continueFrom(run.id, run.taken?.step);
      if (!this.#fine(answer)) {
        return;
      }
      const { source } = answer.value;
      const base = (await this.#bundled(run)) ?? answer.value.base;
      this.#choices.recipe.take(run.recipe, { name: `as in ${run.name}`, warnings: [] });
      // The base first: without it the source could not be read.
      if (base) {
        await this.#choices.choose('base', base);
      }
      await this.#choices.choose('source', source);
      this.#app.update({ view: 'setup' });
    });
  }

  /** Goes to stage one with all that the run was started with, as far as the browser can still reach it. */
  async runAgain(run: RunRecord): Promise<void> {
    await this.#work('continuing', run.name, async () => {
      await this.#askFor(run, PARTS, 'to run it again');
      const answer = await this.#engine.startedWith(run.id);
      if (!this.#fine(answer)) {
        return;
      }
      const { inputs, recipe, name } = run;
      const found = { ...answer.value };
      const base = (await this.#bundled(run)) ?? found.base;
      // Shown at once: reading what is chosen may take a while.
      this.#app.update({ view: 'setup', chooseAgain: [] });
      this.#choices.recipe.take(recipe, { name: `as in ${name}`, warnings: [] });
      this.#choices.setHoldOut(inputs.validation !== undefined || recipe.training.valSize !== undefined);
      await this.#choices.choose('base', base);
      if (inputs.source === undefined) {
        this.#choices.setFresh(true);
      } else {
        await this.#choices.choose('source', found.source);
        this.#app.update({ fresh: false });
      }
      await this.#choices.choose('train', found.train);
      await this.#choices.choose('validation', found.validation);
      const reached = { ...found, ...(base && { base }) };
      const parts = PARTS.filter((part) => !reached[part] && inputs[part] !== undefined);
      this.#app.update({ chooseAgain: parts.map((slot) => ({ slot, name: inputs[slot]! })) });
    });
  }

  /** Has the browser ask for what it does not hold itself of these parts. */
  async #askFor(run: RunRecord, parts: readonly InputPart[], why: string): Promise<void> {
    const needed = await neededHandles(
      this.#engine,
      [run],
      parts.map((part) => [run.id, part]),
    );
    await mayRead(needed, askToRead(this.#app, why));
  }

  async #bundled({ inputs }: RunRecord) {
    return isDemoBase(inputs.base) ? demoBase().catch(() => undefined) : undefined;
  }

  async #work<T>(
    busy: NonNullable<LineageState['busy']>,
    name: string,
    act: (following: Following) => Promise<T>,
  ): Promise<T> {
    this.#name = name;
    this.store.update({ busy, said: undefined });
    try {
      return await this.#following.do(act);
    } finally {
      this.store.update({ busy: undefined });
    }
  }

  #fine<T>(answer: Answer<T>): answer is { ok: true; value: T } {
    if (!answer.ok) {
      this.store.update({ said: { kind: 'bad', text: answer.sentence } });
    }
    return answer.ok;
  }
}
