import type { DecoderFamily } from '../../formats/decoder-config.ts';
import type { ParsedRecipe, Recipe } from '../../formats/recipe.ts';
import type { Precision } from '../../gpu/kernels/linear/nf4-variant.ts';
import type { MemoryKind } from '../../gpu/memory.ts';
import type { ChosenFile, ChosenFolder } from '../../platform/chosen-files.ts';
import type { Advisory } from '../../run/checks/advisory.ts';
import type { DeviceSettings } from '../../run/device-settings.ts';
import type { Finding } from '../../run/diagnosis.ts';
import type { RunEvent } from '../../run/events.ts';
import type { BestStep } from '../../run/options.ts';
import type { Take } from '../../run/take.ts';
import type { SpeedConditions } from '../../run/training-speed.ts';
import type { TrainingSpeed } from '../../run/warm-up.ts';
import type { StoredRun } from '../../storage/run-records.ts';
import type { Columns } from '../../text/columns.ts';
import type { RowsUse } from '../../text/rows.ts';
import type { Answer } from '../answer.ts';
import type { OnProgress } from '../watch.ts';
import type { ChatApi } from './chat.ts';
import type { TestApi } from './comparison.ts';
import type { CorrectedFile, CorrectionsApi } from './corrections.ts';
import type { DeviceWork } from './device-work.ts';
import type { ExportApi } from './export.ts';
import type { HandoverApi } from './handover.ts';
import type { RowsApi } from './rows.ts';
import type { SHOWN } from './shown-run.ts';

export type { Answer } from '../answer.ts';
export type { ChosenFile, ChosenFolder } from '../../platform/chosen-files.ts';

/** Everything a run is started with. */
export interface ChosenInputs {
  base: ChosenFolder;
  /** undefined: a fresh adapter from the recipe's lora section. */
  source: ChosenFolder | undefined;
  train: CorrectedFile;
  validation: ChosenFile | undefined;
  recipe: Recipe;
  /** The run's name; by default the names of its adapter and its rows. */
  name?: string | undefined;
}

/** The parts of a run's files. */
export type InputPart = 'base' | 'source' | 'train' | 'validation';

/** Some of a run's files. */
export type GivenInputs = Partial<Pick<ChosenInputs, InputPart>>;

export interface DeviceFacts {
  name: string;
  software: boolean;
  maxBufferBytes: number;
  /** Its largest storage buffer binding, in bytes. */
  bindingBytes: number;
  /** What a new run takes where the precision is left to Retune. */
  precision?: Precision;
  /** Device, driver and engine in one text: another one may compute at another speed. */
  key: string;
  /** What it is called by WebGPU, for the time that cards of its kind take. */
  vendor?: string;
  architecture?: string;
}

export interface BaseFacts {
  name: string;
  family: DecoderFamily;
  parameters: number;
  layers: number;
  /** 'BF16', 'F16', 'F32', or 'NF4' where the folder is already quantized. */
  dtype: string;
  /** Linear modules of a 4-bit base that stay in 16 bits. */
  kept: number;
  bytes: number;
  /** Notes on it and its tokenizer, one message each. */
  notes: readonly string[];
}

export interface AdapterFacts {
  name: string;
  r: number;
  alpha: number;
  dropout: number;
  /** The projections that it adapts. */
  modules: readonly string[];
  baseModelName: string | undefined;
  parameters: number;
}

export interface RowsFacts {
  name: string;
  format: string;
  rows: number;
  skipped: readonly { line: number; why: string }[];
  /** What the numbers of rows count: rows, where the file has no lines. */
  unit: 'line' | 'row';
  tokens: number;
  trainedTokens: number;
  longest: number;
  cut: number;
  duplicates: number;
  /** Names of the file's columns, or of its first row's keys. */
  columnNames: readonly string[];
  /** What is read as what, as chosen or by a guess; undefined where the columns have the keys' own names. */
  columns?: Columns | undefined;
  /** Notes on the rows, such as keys without effect, one message each. */
  notes: readonly string[];
  /** The first rows as rendered text, in pieces: trained tokens or not. */
  preview: readonly { line: number; pieces: readonly { text: string; trained: boolean }[] }[];
}

export interface PlanFacts {
  bytes: readonly (readonly [kind: MemoryKind, bytes: number])[];
  total: number;
  /** Bytes that a GPU is asked for where it has them free. */
  most?: number;
  maxSteps: number;
  /** Bytes of one checkpoint, how many are kept by the recipe, and what the browser still grants. */
  checkpointBytes: number;
  checkpointsKept: number;
  storageLeft: number | undefined;
  /** What is worth a look before the start. */
  advisories: readonly Advisory[];
  /** Tokens of the whole run, with those of evaluations as far as they cost the same time. */
  work: number;
  /** What of these inputs the training speed depends on. */
  speedConditions: SpeedConditions;
}

/** A run as the browser keeps it. */
export interface RunRecord extends Pick<StoredRun, (typeof SHOWN)[number]> {
  /** How often it resumed on its own since its last checkpoint. */
  restarts: number;
  /**
   * What an unfinished run needs that the browser does not hold; where that is nothing, it resumes without asking.
   */
  lacks?: readonly InputPart[] | undefined;
  checkpoints: readonly { step: number; bytes: number; loss: number | undefined }[];
  /** log_history so far, for the plots, with the `time` of each entry where it is known. */
  log: readonly Record<string, number>[];
}

export interface NamedRun {
  id: string;
  name: string;
}

/** What another tab of this browser does with the device. */
export interface Elsewhere extends NamedRun {
  doing: DeviceWork;
}

export interface RunOutcome {
  status: 'finished' | 'stopped';
  step: number;
  maxSteps: number;
  /** The step that the result is of, where the best one was taken and not the last. */
  best?: BestStep | undefined;
}

/** How rows are looked at: cut to so many tokens, and spoken of by what they are for. */
export interface RowsOptions {
  maxLength: number;
  use: RowsUse;
}

/** What a plan needs to know of a device. */
export interface PlanDevice {
  /** The memory limit of a run in bytes, where one was set. */
  budget: number | undefined;
  software: boolean;
  /** Its largest storage buffer binding, in bytes. */
  bindingBytes: number;
  /** Of a new run; f32 where it is not known. */
  precision?: Precision | undefined;
}

/**
 * What the page asks of the engine; types only, so that both sides can import it. A call that takes a signal ends
 * once that is aborted, whatever it is stuck in: where the signal's reason is a UserError, with that as its answer.
 * What is read of the browser's storage without an Answer (elsewhere, runs) rejects with UserError where that fails.
 */
export interface EngineApi extends TestApi, ChatApi, ExportApi, HandoverApi, RowsApi, CorrectionsApi {
  device(): Promise<Answer<DeviceFacts>>;
  /** What this machine has and lacks, line by line. */
  diagnose(): Promise<Answer<Finding[]>>;

  inspectBase(base: ChosenFolder, signal?: AbortSignal): Promise<Answer<BaseFacts>>;
  inspectAdapter(
    base: ChosenFolder,
    adapter: ChosenFolder,
    signal?: AbortSignal,
  ): Promise<Answer<AdapterFacts>>;
  /** The adapter in a zip, as the folder that it would be unpacked. */
  openAdapterZip(file: File, signal?: AbortSignal): Promise<Answer<ChosenFolder>>;
  inspectRows(
    base: ChosenFolder,
    rows: ChosenFile,
    options: RowsOptions,
    signal?: AbortSignal,
  ): Promise<Answer<RowsFacts>>;
  /** SHA-256 of a file of rows, for changes over it. */
  hashRows(rows: ChosenFile, signal?: AbortSignal): Promise<Answer<string>>;
  /** The columns of a file of rows, where their names do not say what to read as what. */
  columnNames(rows: ChosenFile, signal?: AbortSignal): Promise<Answer<readonly string[]>>;
  parseRecipe(file: File, signal?: AbortSignal): Promise<Answer<ParsedRecipe>>;
  recipeYaml(recipe: Recipe): Promise<string>;
  /** The recipe of a run for which no file was chosen. */
  defaultRecipe(): Promise<Recipe>;
  /** What a run will take of the device that is known; without one, of any. */
  plan(inputs: ChosenInputs, device?: PlanDevice, signal?: AbortSignal): Promise<Answer<PlanFacts>>;
  /** Loads the base and trains on one pass, for its speed; `onEvent` hears the phases. */
  measureSpeed(
    inputs: ChosenInputs,
    settings: DeviceSettings,
    onEvent: (event: RunEvent) => void,
    signal?: AbortSignal,
  ): Promise<Answer<TrainingSpeed>>;

  /** Starts a new run and resolves when it ends. */
  start(
    inputs: ChosenInputs,
    settings: DeviceSettings,
    onEvent: (event: RunEvent) => void,
  ): Promise<Answer<RunOutcome & { id: string }>>;
  /**
   * Resumes an unfinished run; `files` are those that the browser cannot reach. `automatic`: no user action asked for
   * it.
   */
  resume(
    id: string,
    files: GivenInputs | undefined,
    settings: DeviceSettings,
    onEvent: (event: RunEvent) => void,
    automatic?: boolean,
  ): Promise<Answer<RunOutcome & { id: string }>>;
  /** A pause takes effect between two passes; the device stays open. It lasts over a reload. */
  pause(): Promise<void>;
  unpause(): Promise<void>;
  /** Stops with a checkpoint. */
  stop(): Promise<void>;
  /** Resolves once a checkpoint of the last complete step was saved, or could not be. */
  checkpointNow(): Promise<void>;

  /** Whether the engine responds; it does not while it is blocked reading a file. */
  responds(): Promise<boolean>;
  /** Ends the engine with all that it does, which is answered with `message`, and starts another. */
  restart(message: string): void;

  /** The run that another tab of this browser trains, or the test that it runs. */
  elsewhere(): Promise<Elsewhere | undefined>;
  /** Resolves once no other tab does either. */
  elsewhereEnded(): Promise<void>;

  /** The parts of a run's files that the browser does not hold itself: to read them it may have to ask the user. */
  lacks(id: string): Promise<Answer<readonly InputPart[]>>;
  /** What a run was started with, as far as the browser holds it or may read it without asking. */
  startedWith(id: string): Promise<Answer<GivenInputs>>;
  runs(): Promise<RunRecord[]>;
  deleteRun(id: string): Promise<Answer<undefined>>;
  /** The result, and the checkpoints if wanted, as a zip. */
  exportRun(
    id: string,
    checkpoints: boolean,
    onProgress?: OnProgress,
    signal?: AbortSignal,
  ): Promise<Answer<Blob>>;
  exportCheckpoint(
    id: string,
    step: number,
    onProgress?: OnProgress,
    signal?: AbortSignal,
  ): Promise<Answer<Blob>>;
  /** A step of a run, finished or not, in the form of a result, as a zip. */
  exportTaken(id: string, take: Take, onProgress?: OnProgress, signal?: AbortSignal): Promise<Answer<Blob>>;
  /** The run's files, as exportRun has them, straight into a folder that may be written to; `onWritten` hears of each that is there whole. */
  exportRunInto(
    id: string,
    checkpoints: boolean,
    folder: FileSystemDirectoryHandle,
    onProgress?: OnProgress,
    signal?: AbortSignal,
    onWritten?: (path: string, total: number) => void,
  ): Promise<Answer<undefined>>;
}
