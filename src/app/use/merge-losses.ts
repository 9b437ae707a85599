import type {
  AdapterToUse,
  ExportChoice,
  Losses,
  LossRows,
  OnLossEvent,
} from '../../engine/protocol/export.ts';
import type { Answer, ChosenFile, EngineApi, RunRecord } from '../../engine/protocol/protocol.ts';
import { lossesText } from '../../export/card.ts';
import { UserError } from '../../formats/user-error.ts';
import { mayRead } from '../../platform/permission.ts';
import type { RunEvent } from '../../run/events.ts';
import type { AppState } from '../shared/app-state.ts';
import { askToRead } from '../shared/browser-questions.ts';
import type { EngineWatch } from '../shared/engine-watch.ts';
import { neededHandles } from '../shared/needed-handles.ts';
import { Store } from '../shared/store.ts';

/** The losses of one choice. */
export interface Measured extends Pick<ExportChoice, 'form' | 'type' | 'onto'> {
  losses: Losses;
}

export interface LossesState {
  /** Rows that were chosen here; undefined: those that the run was evaluated on. */
  rows?: ChosenFile | undefined;
  measured: readonly Measured[];
  /** The measurement under way. */
  work?:
    | {
        phase?: Extract<RunEvent, { type: 'phase' }> | undefined;
        notes: readonly string[];
        canceled: boolean;
      }
    | undefined;
  /** How the last one ended. */
  said?: { kind: 'good' | 'info' | 'bad'; text: string; notes?: readonly string[] } | undefined;
}

type Chosen = Pick<ExportChoice, 'form' | 'type' | 'onto'>;

/** What merging changes: losses of the adapter as it was trained and of the weights as they are written. */
export class MergeLosses {
  readonly store = new Store<LossesState>({ measured: [] });
  readonly #engine: EngineApi;
  readonly #app: Store<AppState>;
  readonly #watch: EngineWatch;
  #running: AbortController | undefined;

  constructor(engine: EngineApi, app: Store<AppState>, watch: EngineWatch) {
    this.#engine = engine;
    this.#app = app;
    this.#watch = watch;
  }

  /** Forgets what belongs to another adapter. */
  clear(): void {
    this.#running?.abort(new UserError('The measurement was canceled.'));
    this.#running = undefined;
    this.store.update({ work: undefined });
    this.chooseRows(undefined);
  }

  /** Forgets what was measured with another base. */
  forget(): void {
    this.store.update({ measured: [], said: undefined });
  }

  chooseRows(rows: ChosenFile | undefined): void {
    this.store.update({ rows });
    this.forget();
  }

  /** Those of a choice, where they were measured. */
  of(choice: Chosen): Losses | undefined {
    return this.store.state.measured.find((one) => weightsOf(one) === weightsOf(choice))?.losses;
  }

  /** Measures them. Called from a click: the browser may have to ask for permission to read the rows. */
  async measure(adapter: AdapterToUse, choice: Chosen, record: RunRecord): Promise<void> {
    if (this.#running) {
      return;
    }
    const running = (this.#running = new AbortController());
    this.store.update({ said: undefined, work: { notes: [], canceled: false } });
    const { form, type, onto } = choice;
    let said: LossesState['said'];
    let found: Measured | undefined;
    try {
      const answer = await this.#ask(adapter, { form, type, onto }, record, running.signal);
      if (answer.ok) {
        found = { form, type, onto, losses: answer.value };
        const notes = this.store.state.work?.notes ?? [];
        said = { kind: 'good', text: `${lossesText(answer.value)}.`, notes };
      } else {
        said = { kind: running.signal.aborted ? 'info' : 'bad', text: answer.sentence };
      }
    } catch (error) {
      said = { kind: 'bad', text: error instanceof Error ? error.message : String(error) };
    }
    // Of another adapter nobody wants to know any more.
    if (this.#running === running) {
      this.#running = undefined;
      const { measured } = this.store.state;
      const others = measured.filter((one) => weightsOf(one) !== weightsOf(choice));
      this.store.update({ work: undefined, said, measured: found ? [...others, found] : measured });
    }
  }

  cancel(): void {
    const { work } = this.store.state;
    if (work && this.#running) {
      this.store.update({ work: { ...work, canceled: true } });
      void this.#watch.watch();
      this.#running.abort(new UserError('The measurement was canceled.'));
    }
  }

  async #ask(
    adapter: AdapterToUse,
    choice: Chosen,
    record: RunRecord,
    signal: AbortSignal,
  ): Promise<Answer<Losses>> {
    const { rows: file, measured } = this.store.state;
    const ask = askToRead(this.#app, 'to evaluate on its rows');
    if (!file) {
      const { id, inputs } = record;
      const part = inputs.validation === undefined ? 'train' : 'validation';
      await mayRead(await neededHandles(this.#engine, [record], [[id, part]]), ask);
    } else if (file.handle) {
      await mayRead([file.handle], ask);
    }
    const onEvent: OnLossEvent = (event) => {
      const { work } = this.store.state;
      if (work) {
        const heard = event.type === 'note' ? { notes: [...work.notes, event.text] } : { phase: event };
        this.store.update({ work: { ...work, ...heard } });
      }
    };
    const rows: LossRows = { file, trained: measured[0]?.losses.trained };
    return this.#engine.exportLosses(adapter, choice, rows, onEvent, signal);
  }
}

/** The same where the weights are the same: those of Ollama are the GGUF's. */
const weightsOf = ({ form, type, onto }: Chosen): string =>
  `${form === 'ollama' ? 'gguf' : form} ${type ?? ''} ${onto}`;
