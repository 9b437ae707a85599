import type {
  AdapterFacts,
  Answer,
  BaseFacts,
  ChosenFile,
  ChosenFolder,
  DeviceFacts,
  Elsewhere,
  InputPart,
  PlanFacts,
  RowsFacts,
  RunRecord,
} from '../../engine/protocol/protocol.ts';
import type { Recipe, RecipeReading } from '../../formats/recipe.ts';
import type { Advisory } from '../../run/checks/advisory.ts';
import type { Phase, RowProgress, RunFacts, StepProgress } from '../../run/events.ts';
import type { BestStep } from '../../run/options.ts';
import type { SampleFilm } from '../../run/samples/film.ts';
import { DEFAULT_INPUTS, type DeviceInputs } from './device-inputs.ts';

/** One thing to choose: what was chosen, and what the engine understood of it or found wrong with it. */
export interface ChoiceSlot<Chosen, Facts> {
  chosen?: Chosen | undefined;
  answer?: Answer<Facts> | undefined;
  reading: boolean;
  /** Of rows that cannot be used: their columns, if these have to be chosen. */
  names?: readonly string[] | undefined;
}

export interface Slots {
  base: ChoiceSlot<ChosenFolder, BaseFacts>;
  source: ChoiceSlot<ChosenFolder, AdapterFacts>;
  train: ChoiceSlot<ChosenFile, RowsFacts>;
  validation: ChoiceSlot<ChosenFile, RowsFacts>;
}

/** What was typed into a recipe field and cannot be taken. */
interface Draft {
  text: string;
  problem: string;
}

type RunStatus =
  'starting' | 'running' | 'pausing' | 'paused' | 'stopping' | 'stopped' | 'finished' | 'failed';

export interface LogLine {
  /** Milliseconds since 1970; undefined where it was not kept. */
  time: number | undefined;
  kind: 'log' | 'note' | 'checkpoint' | 'problem';
  text: string;
}

/** The run that the page shows: the one under way, or one that has ended. */
export interface RunState {
  /** Known once the engine has kept something of the run. */
  id?: string | undefined;
  name: string;
  status: RunStatus;
  /** Why it failed. */
  sentence?: string | undefined;
  phase?: { phase: Phase; done: number; total: number; unit: string } | undefined;
  facts?: RunFacts | undefined;
  /** Within the step under way, where that takes seconds. */
  within?: RowProgress | undefined;
  progress?: StepProgress | undefined;
  /** One point for each step seen, and one for each evaluation. */
  steps: readonly { step: number; loss: number; gradNorm: number; learningRate: number }[];
  evals: readonly { step: number; loss: number }[];
  checkpoints: readonly { step: number; bytes: number; loss?: number | undefined }[];
  /** Sample prompts and their answers so far. */
  samples?: SampleFilm | undefined;
  /** The checkpoint that the user asked for: on its way, or dealt with. */
  asked?: 'saving' | 'done' | undefined;
  log: readonly LogLine[];
  /** The step that the result is of, where the best one was taken and not the last. */
  best?: BestStep | undefined;
  hasSource: boolean;
  /** What it is trained by. */
  recipe?: Recipe | undefined;
}

/** An unfinished run that waits to be resumed. */
export interface Unfinished {
  record: RunRecord;
  /** The files that must be chosen again. */
  choose: readonly InputPart[];
  /** It has resumed several times without reaching a checkpoint, and waits for the user. */
  restartsExhausted: boolean;
}

/** A question that the browser puts to the user, for as long as it is open. */
export interface BrowserQuestion {
  /** What it asks, and what the page waits for. */
  text: string;
  /** Ends the waiting; whatever is answered later does not count. */
  cancel(): void;
}

/** The training speed of this device for the run as planned. */
interface SpeedState {
  /** What is being done for it. */
  measuring?: string | undefined;
  /** As it was measured, and when: milliseconds since 1970. */
  speed?: { tokensPerSecond: number; time: number } | undefined;
  /** Why the latest that was measured does not hold. */
  outdated?: string | undefined;
  /** Why nothing was measured. */
  refusal?: string | undefined;
}

export interface AppState {
  device?: Answer<DeviceFacts> | undefined;
  slots: Slots;
  /** What was chosen at the last visit and may be read after a click. */
  waiting: readonly { slot: keyof Slots; name: string }[];
  /** Of a run that is to be run again: what the browser keeps no way to. */
  chooseAgain: readonly { slot: keyof Slots; name: string }[];
  /** No V1: a new adapter is made from the recipe. */
  fresh: boolean;
  /** Without validation rows, some of the new rows are held out to validate on. */
  holdOut: boolean;
  recipe?: Recipe | undefined;
  /** Name of a recipe that is being read. */
  readingRecipe?: string | undefined;
  /** Where the recipe came from, and what was not understood in it. */
  recipeFile:
    { name: string; warnings: readonly string[]; reading?: RecipeReading } | { sentence: string } | undefined;
  drafts: Readonly<Record<string, Draft>>;
  plan?: Answer<PlanFacts> | undefined;
  planning: boolean;
  /** What is worth a look, by the latest plan: while there is a new one to come, by the one before. */
  advisories?: readonly Advisory[] | undefined;
  deviceInputs: DeviceInputs;
  /** False where the browser does not keep that for the next visit. */
  deviceInputsKept: boolean;
  measured: SpeedState;
  /** Whether the browser keeps what is given to it; undefined until it has answered. */
  storage?: Answer<undefined> | undefined;
  /** Why the page will not work without a network. */
  onlineOnly?: string | undefined;
  /** What the browser said when asked to keep the site's storage. */
  persisted?: boolean | undefined;
  view: 'setup' | 'train' | 'test' | 'runs' | 'use';
  run?: RunState | undefined;
  unfinished?: Unfinished | undefined;
  /** The run or test active in another tab; while it lasts, this tab can start none. */
  elsewhere?: Elsewhere | undefined;
  runs: readonly RunRecord[];
  /** A new version of the page is waiting to be activated. */
  updateReady: boolean;
  offlineReady: boolean;
  /** Why a request was refused. */
  refusal?: string | undefined;
  /** What the browser asks the user at the moment. */
  question?: BrowserQuestion | undefined;
  /** Whether the user is notified of a run's end; why that cannot be. */
  notifying: boolean;
  notifyProblem?: string | undefined;
  /** Why an address could not be gone to. */
  gone?: string | undefined;
  /** The engine is not responding. */
  unresponsive: boolean;
  /** A bug, in the words of the exception. */
  crash?: string | undefined;
}

export const initialState: AppState = {
  slots: {
    base: { reading: false },
    source: { reading: false },
    train: { reading: false },
    validation: { reading: false },
  },
  waiting: [],
  chooseAgain: [],
  fresh: false,
  holdOut: true,
  recipeFile: undefined,
  drafts: {},
  planning: false,
  deviceInputs: DEFAULT_INPUTS,
  deviceInputsKept: true,
  measured: {},
  view: 'setup',
  notifying: false,
  runs: [],
  updateReady: false,
  offlineReady: false,
  unresponsive: false,
};

/** Whether a run is active, so that its inputs must not change. */
export const isActive = (run: RunState | undefined): boolean =>
  run !== undefined && ['starting', 'running', 'pausing', 'paused', 'stopping'].includes(run.status);
