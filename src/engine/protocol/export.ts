import type { EvalLoss } from '../../comparison/version-loss.ts';
import type { ExportSize } from '../../export/export.ts';
import type { Form, WeightType } from '../../export/forms.ts';
import type { Losses } from '../../export/losses.ts';
import type { Onto } from '../../export/weights.ts';
import type { ChosenFile, ChosenFolder } from '../../platform/chosen-files.ts';
import type { RunEvent } from '../../run/events.ts';
import type { Answer } from '../answer.ts';

export type { ExportSize } from '../../export/export.ts';
export type { Form, WeightType } from '../../export/forms.ts';
export type { Losses } from '../../export/losses.ts';
export type { Onto } from '../../export/weights.ts';

/** An adapter of this browser, and the base it goes with. */
export interface AdapterToUse {
  run: string;
  /** A checkpoint of the run instead of its result. */
  step?: number | undefined;
  /** What it is called in the files that are written, such as "v2". */
  name: string;
  /** The base's folder; undefined: its quantized copy in this browser, which has no weights to merge into. */
  base: ChosenFolder | undefined;
}

/** What it becomes. */
export interface ExportChoice {
  form: Form;
  /** undefined: the form's default. */
  type: WeightType | undefined;
  onto: Onto;
  /** Where they were measured: for the card and the notes. */
  losses?: Losses | undefined;
}

/** The rows that losses are measured on. */
export interface LossRows {
  /** undefined: those that the run was evaluated on. */
  file: ChosenFile | undefined;
  /** The adapter's own loss, where it was measured on these rows before. */
  trained: EvalLoss | undefined;
}

export type OnLossEvent = (event: Extract<RunEvent, { type: 'phase' | 'note' }>) => void;

/** Where it goes: a new, empty folder, or a file in a folder of the user's. */
export interface OutputPlace {
  folder: FileSystemDirectoryHandle;
  /** Where the form is one file. */
  file?: string | undefined;
}

export interface Exported {
  files: number;
  bytes: number;
  /** One message each. */
  notes: readonly string[];
  /** How to run it, from its folder. */
  commands: readonly string[];
}

/** The base is read whole once before the writing. Both in bytes. */
type OnExport = (phase: 'hashing' | 'writing', done: number, total: number) => void;

/** An adapter in the forms that other programs load. */
export interface ExportApi {
  /** The folder from which a run's base was chosen; undefined where the browser keeps no way to it. */
  baseFolder(run: string): Promise<Answer<ChosenFolder | undefined>>;
  /** The size in every form and type. */
  exportSizes(adapter: AdapterToUse, onto: Onto, signal?: AbortSignal): Promise<Answer<ExportSize[]>>;
  /** Evaluates an adapter over the weights that training saw, and the merged weights as they would be written. */
  exportLosses(
    adapter: AdapterToUse,
    choice: ExportChoice,
    rows: LossRows,
    onEvent: OnLossEvent,
    signal?: AbortSignal,
  ): Promise<Answer<Losses>>;
  /** Writes it piece by piece. Where that does not end well, what it has written stays for the caller to remove. */
  exportAdapterInto(
    adapter: AdapterToUse,
    choice: ExportChoice,
    place: OutputPlace,
    onExport: OnExport,
    signal?: AbortSignal,
  ): Promise<Answer<Exported>>;
  /** The same as one file: a zip with a folder `name` in it where the form has several. */
  exportAdapterFile(
    adapter: AdapterToUse,
    choice: ExportChoice,
    name: string,
    onExport: OnExport,
    signal?: AbortSignal,
  ): Promise<Answer<Exported & { content: Blob }>>;
}
