import type {
  AdapterToUse,
  Exported,
  ExportSize,
  Form,
  Onto,
  WeightType,
} from '../../engine/protocol/export.ts';
import type { Answer, ChosenFolder, EngineApi, RunRecord } from '../../engine/protocol/protocol.ts';
import { FORMS } from '../../export/forms.ts';
import { UserError } from '../../formats/user-error.ts';
import { checkOutput, freeName, removeUnfinished } from '../../platform/output-place.ts';
import { mayRead } from '../../platform/permission.ts';
import { saveFile } from '../../platform/save-file.ts';
import type { AppState } from '../shared/app-state.ts';
import { Asking } from '../shared/asking.ts';
import { askForOutputFolder, askToRead } from '../shared/browser-questions.ts';
import { isDemoBase } from '../shared/demo.ts';
import { demoBase } from '../shared/demo-tests.ts';
import type { EngineWatch } from '../shared/engine-watch.ts';
import { Store } from '../shared/store.ts';
import { resultName } from '../shared/version-names.ts';
import type { ExportProgress } from './export-progress.ts';
import { MergeLosses } from './merge-losses.ts';
import { Pace } from './pace.ts';

type OnExport = Parameters<EngineApi['exportAdapterInto']>[3];

/** The adapter to use: a run's result, or its checkpoint of `step`. */
interface Used {
  record: RunRecord;
  step: number | undefined;
  /** "V2", "V2 at step 20". */
  label: string;
  /** The same in names of files: "v2", "v2-step-20". */
  name: string;
}

export interface UseState {
  used?: Used | undefined;
  /** Where it was opened from. */
  from: 'train' | 'runs';
  /** Whether the base's folder is still looked for. */
  finding: boolean;
  /** The base's own folder; without it only the adapter alone can be exported. */
  base?: ChosenFolder | undefined;
  /** Why the base's folder cannot be reached. */
  baseProblem?: string | undefined;
  /** undefined while they are calculated. */
  sizes?: Answer<readonly ExportSize[]> | undefined;
  form: Form;
  /** Of each form the type chosen; undefined where it is the form's own. */
  types: Readonly<Partial<Record<Form, WeightType>>>;
  onto: Onto;
  /** What is written, and how far it is. */
  work?: ExportProgress | undefined;
  said?: Said | undefined;
}

/** How the last export ended. */
export interface Said {
  kind: 'good' | 'info' | 'bad';
  text: string;
  notes?: readonly string[];
  commands?: readonly string[];
}

/** V2 for other programs: what it becomes, and where it goes. */
export class AdapterUse {
  readonly store = new Store<UseState>({
    finding: false,
    from: 'train',
    form: 'merged',
    types: {},
    onto: 'base',
  });
  readonly #engine: EngineApi;
  readonly #app: Store<AppState>;
  readonly losses: MergeLosses;
  readonly #asking = new Asking<'sizes'>();
  #running: AbortController | undefined;

  constructor(engine: EngineApi, app: Store<AppState>, watch: EngineWatch) {
    this.#engine = engine;
    this.#app = app;
    this.losses = new MergeLosses(engine, app, watch);
  }

  /** Shows what can be made of a run's result, or of its checkpoint of `step`; to read the base may need this click. */
  async open(record: RunRecord, from: UseState['from'], step?: number): Promise<void> {
    const { used, work } = this.store.state;
    this.#app.update({ view: 'use' });
    if (work || (used?.record.id === record.id && used.step === step)) {
      return;
    }
    const label = resultName(record.id, this.#app.state.runs);
    const now = {
      record,
      step,
      label: step === undefined ? label : `${label} at step ${step}`,
      name: label.toLowerCase() + (step === undefined ? '' : `-step-${step}`),
    };
    const nothing = { base: undefined, baseProblem: undefined, sizes: undefined, said: undefined };
    this.losses.clear();
    this.store.update({ ...nothing, used: now, from, finding: true });
    const found = await this.#baseOf(record);
    if (this.store.state.used === now) {
      this.store.update({
        finding: false,
        base: found.ok ? found.value : undefined,
        baseProblem: found.ok ? undefined : found.sentence,
      });
      await this.#size();
    }
  }

  /** Back to where it was opened. */
  close(): void {
    this.#app.update({ view: this.store.state.from });
  }

  async choose(patch: Partial<Pick<UseState, 'form' | 'types' | 'onto'>>): Promise<void> {
    this.store.update({ ...patch, said: undefined });
    if (patch.onto !== undefined) {
      await this.#size();
    }
  }

  /** The base's folder, where the browser has no way to it. */
  async giveBase(base: ChosenFolder): Promise<void> {
    this.losses.forget();
    this.store.update({ base, baseProblem: undefined, said: undefined });
    await this.#size();
  }

  /** A form's size in a type, or why it cannot be had; undefined while that is not known. */
  sizeOf(form: Form, type: WeightType | undefined): ExportSize['size'] | undefined {
    const { sizes } = this.store.state;
    return sizes?.ok ? sizes.value.find((one) => one.form === form && one.type === type)?.size : undefined;
  }

  /** The size of what is chosen. */
  get size(): ExportSize['size'] | undefined {
    const { form } = this.store.state;
    return this.sizeOf(form, this.typeOf(form));
  }

  /** The type chosen for a form; undefined for the base's own. */
  typeOf(form: Form): WeightType | undefined {
    return this.store.state.types[form] ?? FORMS[form].type;
  }

  /** Whether the base's folder must be chosen first. */
  get lacksBase(): boolean {
    const { base, form, sizes } = this.store.state;
    return base === undefined && (form !== 'gguf-lora' || sizes?.ok === false);
  }

  /** What is written: a file, or a folder. */
  get outputName(): string {
    const { used, form } = this.store.state;
    return FORMS[form].isFile
      ? `${used!.name}-${this.typeOf(form)!.toUpperCase()}${form === 'gguf-lora' ? '-lora' : ''}.gguf`
      : `${used!.name}-${form}`;
  }

  /** Measures what merging changes, by what is chosen. */
  measureLosses(): Promise<void> {
    return this.losses.measure(this.#adapter, this.#choice, this.store.state.used!.record);
  }

  /** Writes it into a folder of the user's, under a name that is free there. */
  saveIntoFolder(): Promise<void> {
    return this.#work(async (adapter, onExport, signal) => {
      const folder = await askForOutputFolder(this.#app);
      if (!folder) {
        return undefined;
      }
      const { used, base } = this.store.state;
      const { handles } = used!.record;
      await checkOutput(folder, [base?.handle, handles.base, handles.source]);
      const name = await freeName(folder, this.outputName);
      const { isFile } = FORMS[this.store.state.form];
      const place = isFile
        ? { folder, file: name }
        : { folder: await folder.getDirectoryHandle(name, { create: true }) };
      const answer = await this.#engine
        .exportAdapterInto(adapter, this.#choice, place, onExport, signal)
        .catch(async (error: unknown) => {
          await removeUnfinished(folder, name);
          throw error;
        });
      if (answer.ok) {
        return done(answer.value, `${used!.label} is in the folder ${folder.name}, as ${name}.`);
      }
      const gone = await removeUnfinished(folder, name);
      const rest = gone ? 'Nothing of it was kept.' : `Delete ${name} in ${folder.name}: it is not whole.`;
      return failed(`${answer.sentence} ${rest}`, signal);
    });
  }

  /** Downloads it as one file. */
  download(): Promise<void> {
    return this.#work(async (adapter, onExport, signal) => {
      const name = this.outputName;
      const answer = await this.#engine.exportAdapterFile(adapter, this.#choice, name, onExport, signal);
      if (!answer.ok) {
        return failed(answer.sentence, signal);
      }
      const file = FORMS[this.store.state.form].isFile ? name : `${name}.zip`;
      saveFile(file, answer.value.content);
      return done(answer.value, `${this.store.state.used!.label} is in your downloads as ${file}.`);
    });
  }

  cancel(): void {
    const { work, used } = this.store.state;
    if (work && this.#running) {
      this.store.update({ work: { ...work, canceled: true } });
      this.#running.abort(new UserError(`${used!.label}: the export was canceled.`));
    }
  }

  get #choice() {
    const { form, onto } = this.store.state;
    if (form === 'gguf-lora') {
      return { form, type: this.typeOf(form), onto: 'base' as const };
    }
    const chosen = { form, type: this.typeOf(form), onto };
    return { ...chosen, losses: this.losses.of(chosen) };
  }

  get #adapter(): AdapterToUse {
    const { used, base } = this.store.state;
    return { run: used!.record.id, step: used!.step, name: used!.name, base };
  }

  async #baseOf({ id, handles, inputs }: RunRecord): Promise<Answer<ChosenFolder | undefined>> {
    if (handles.base) {
      await mayRead([handles.base], askToRead(this.#app, 'to write it with the adapter'));
    }
    const found = await this.#engine.baseFolder(id);
    if (found.ok && !found.value && isDemoBase(inputs.base)) {
      return { ok: true, value: await demoBase().catch(() => undefined) };
    }
    return found;
  }

  async #size(): Promise<void> {
    this.store.update({ sizes: undefined });
    const { onto } = this.store.state;
    const ask = (signal: AbortSignal) => this.#engine.exportSizes(this.#adapter, onto, signal);
    const sizes = await this.#asking.ask('sizes', ask);
    if (sizes) {
      this.store.update({ sizes });
    }
  }

  async #work(
    act: (adapter: AdapterToUse, onExport: OnExport, signal: AbortSignal) => Promise<Said | undefined>,
  ): Promise<void> {
    const running = (this.#running = new AbortController());
    const begun = { phase: 'hashing', done: 0, total: 0, perSecond: undefined, canceled: false } as const;
    this.store.update({ work: begun, said: undefined });
    let pace = new Pace();
    const onExport: OnExport = (phase, done, total) => {
      const { work } = this.store.state;
      if (work?.phase !== phase) {
        pace = new Pace();
      }
      pace.add(done);
      const { perSecond } = pace;
      this.store.update({ work: { phase, done, total, perSecond, canceled: work?.canceled ?? false } });
    };
    try {
      this.store.update({ said: await act(this.#adapter, onExport, running.signal) });
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      this.store.update({ said: failed(text, running.signal) });
    } finally {
      this.#running = undefined;
      this.store.update({ work: undefined });
    }
  }
}

/** What the user ended is no problem. */
const failed = (text: string, { aborted }: AbortSignal): Said => ({ kind: aborted ? 'info' : 'bad', text });

const done = ({ notes, commands }: Exported, text: string): Said => ({ kind: 'good', text, notes, commands });
