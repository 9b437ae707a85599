import { del, get, set } from 'idb-keyval';
import type { CorrectedFile } from '../../engine/protocol/corrections.ts';
import type { ChosenFile, ChosenFolder, EngineApi } from '../../engine/protocol/protocol.ts';
import { readPermission } from '../../platform/permission.ts';
import { readFolder } from '../../platform/read-folder.ts';
import { CHOICES, openChoicesDatabase } from '../../storage/choices-database.ts';
import type { AppState } from '../shared/app-state.ts';
import { askToRead } from '../shared/browser-questions.ts';
import { demoFiles, isFromDemo } from '../shared/demo.ts';
import type { Store } from '../shared/store.ts';
import type { Choices, SlotName } from './choices.ts';

type Chosen = ChosenFolder | ChosenFile;

/** How a file of rows is read. */
type AsRead = Pick<ChosenFile, 'columns' | 'changes'>;

/** The way by which the browser finds again what was chosen. */
type Place =
  | ({ kind: 'handle'; name: string; handle: FileSystemHandle } & AsRead)
  | {
      kind: 'run';
      name: string;
      run: string;
      step: number | undefined;
      handle?: FileSystemHandle | undefined;
    }
  | { kind: 'demo'; name: string }
  | ({ kind: 'copy'; name: string } & CorrectedFile);

interface Kept {
  /** As YAML, which a later version of the page reads too. */
  recipe: string;
  recipeFile: AppState['recipeFile'];
  fresh: boolean;
  /** Absent in what earlier versions kept. */
  holdOut?: boolean;
  places: ReadonlyMap<SlotName, Place>;
}

const SLOTS = ['base', 'source', 'train', 'validation'] as const satisfies SlotName[];
/** A larger file of rows is chosen again where the browser gave no handle of it. */
const MAX_COPIED_BYTES = 2 ** 26;

/**
 * The choices and settings of the first screen, stored until a run starts with them, so that a reload costs nothing.
 */
export class KeptChoices {
  readonly #engine: EngineApi;
  readonly #app: Store<AppState>;
  readonly #choices: Choices;
  readonly #database = openChoicesDatabase();
  /** What was kept and is not chosen yet. */
  readonly #left = new Map<SlotName, Place>();
  #seen: readonly unknown[] = [];
  #writing: Promise<void> = Promise.resolve();

  constructor(engine: EngineApi, app: Store<AppState>, choices: Choices) {
    this.#engine = engine;
    this.#app = app;
    this.#choices = choices;
  }

  /** Takes up the recipe of the last visit, and from then on keeps every change. */
  async begin(): Promise<void> {
    const kept = await get<Kept>(CHOICES, this.#database).catch(() => undefined);
    if (kept) {
      const { recipe, recipeFile, fresh, holdOut = true, places } = kept;
      const answer = await this.#engine.parseRecipe(new File([recipe], 'training_config.yaml'));
      if (answer.ok) {
        this.#choices.recipe.take(answer.value.recipe, recipeFile);
      } else {
        this.#app.update({ recipeFile: { sentence: answer.sentence } });
      }
      this.#app.update({ fresh, holdOut });
      for (const [slot, place] of places) {
        this.#left.set(slot, place);
      }
    }
    this.#seen = choicesOf(this.#app.state);
    this.#app.subscribe(() => this.#follow());
  }

  /** Chooses again what was chosen, as far as it may be read without a click. */
  recall(): Promise<void> {
    return this.#take(false);
  }

  /** The same for what waits for permission; called by a click. */
  readWaiting(): Promise<void> {
    return this.#take(true);
  }

  /** A run has started with the choices: they belong to the run from now on. */
  settle(): void {
    this.#seen = choicesOf(this.#app.state);
    this.#left.clear();
    this.#write(() => del(CHOICES, this.#database));
  }

  keep(): void {
    this.#write(async () => {
      const { recipe, recipeFile, fresh, holdOut, slots } = this.#app.state;
      if (!recipe) {
        return;
      }
      const places = new Map(this.#left);
      for (const slot of SLOTS) {
        const { chosen } = slots[slot];
        const place = chosen && placeOf(chosen);
        if (place) {
          places.set(slot, place);
        }
      }
      const yaml = await this.#engine.recipeYaml(recipe);
      const kept: Kept = { recipe: yaml, recipeFile, fresh, holdOut, places };
      await set(CHOICES, kept, this.#database);
    });
  }

  #follow(): void {
    const now = choicesOf(this.#app.state);
    if (now.every((one, i) => one === this.#seen[i])) {
      return;
    }
    this.#seen = now;
    const { slots, waiting } = this.#app.state;
    for (const slot of SLOTS) {
      if (slots[slot].chosen) {
        this.#left.delete(slot);
      }
    }
    const still = waiting.filter(({ slot }) => this.#left.has(slot));
    if (still.length < waiting.length) {
      this.#app.update({ waiting: still });
    }
    this.keep();
  }

  /** One after the other; where the browser keeps nothing, the page does without. */
  #write(write: () => Promise<void>): void {
    this.#writing = this.#writing.then(write).catch(() => undefined);
  }

  async #take(ask: boolean): Promise<void> {
    const asks = ask ? askToRead(this.#app, 'as you had chosen it') : undefined;
    const open: [SlotName, left: Place, Place][] = [];
    const waiting: { slot: SlotName; name: string }[] = [];
    // All is asked for before anything is read: the browser counts the click for some seconds only.
    for (const slot of SLOTS) {
      const place = this.#left.get(slot);
      if (!place) {
        continue;
      }
      const handles = place.kind === 'handle' ? [place.handle] : [];
      const allowed = (await readPermission(handles)) === 'granted';
      const kept = slot === 'base' && !allowed ? await this.#keptBase(handles[0]!, place.name) : undefined;
      const permission = kept ? 'granted' : await readPermission(handles, asks);
      if (permission === 'granted') {
        open.push([slot, place, kept ?? place]);
      } else if (ask && permission === 'denied') {
        this.#left.delete(slot);
      } else {
        waiting.push({ slot, name: place.name });
      }
    }
    this.#app.update({ waiting });
    for (const [slot, left, place] of open) {
      // What no longer exists must be chosen again.
      const chosen = await openPlace(slot, place).catch(() => undefined);
      if (chosen && this.#left.get(slot) === left) {
        await this.#choices.choose(slot, chosen as ChosenFolder & ChosenFile);
      }
    }
  }

  /** The base of a run with this folder, as far as the cache holds it: nothing has to be asked for that. */
  async #keptBase(handle: FileSystemHandle, name: string): Promise<Place | undefined> {
    const runs = await this.#engine.runs().catch(() => []);
    for (const { id, handles } of runs) {
      if (await isSame(handle, handles.base)) {
        const lacks = await this.#engine.lacks(id);
        if (lacks.ok && !lacks.value.includes('base')) {
          return { kind: 'run', name, run: id, step: undefined, handle };
        }
      }
    }
    return undefined;
  }
}

/** The same folder or file, where the browser can tell. */
const isSame = (a: FileSystemHandle, b: FileSystemHandle | undefined): Promise<boolean> =>
  b?.isSameEntry?.(a).catch(() => false) ?? Promise.resolve(false);

/** Changes where something is chosen or set, and not where it has been read. */
const choicesOf = ({ slots, recipe, recipeFile, fresh, holdOut }: AppState): readonly unknown[] => [
  ...SLOTS.map((slot) => slots[slot].chosen),
  recipe,
  recipeFile,
  fresh,
  holdOut,
];

function placeOf(chosen: Chosen): Place | undefined {
  const name = 'file' in chosen ? chosen.file.name : chosen.name;
  const asRead: AsRead = 'file' in chosen ? { columns: chosen.columns, changes: chosen.changes } : {};
  if ('run' in chosen && chosen.run !== undefined) {
    return { kind: 'run', name, run: chosen.run, step: chosen.step, handle: chosen.handle };
  }
  if (chosen.handle) {
    return { kind: 'handle', name, handle: chosen.handle, ...asRead };
  }
  if (isFromDemo(chosen)) {
    return { kind: 'demo', name };
  }
  if ('file' in chosen && chosen.file.size <= MAX_COPIED_BYTES) {
    const { corrected } = chosen as CorrectedFile;
    return { kind: 'copy', name, file: chosen.file, ...asRead, ...(corrected && { corrected }) };
  }
  return undefined;
}

async function openPlace(slot: SlotName, place: Place): Promise<Chosen> {
  switch (place.kind) {
    case 'run':
      return {
        ...{ name: place.name, files: [], run: place.run, step: place.step },
        handle: place.handle as FileSystemDirectoryHandle | undefined,
      };
    case 'demo':
      return (await demoFiles())[slot];
    case 'copy': {
      const { file, columns, changes, corrected } = place;
      return { file, columns, changes, ...(corrected && { corrected }) };
    }
    case 'handle': {
      const { handle } = place;
      if (handle.kind === 'directory') {
        return readFolder(handle as FileSystemDirectoryHandle);
      }
      const file = handle as FileSystemFileHandle;
      const { columns, changes } = place;
      return { file: await file.getFile(), handle: file, columns, changes };
    }
  }
}
