import type {
  TestDetail,
  TestedVersion,
  TestEvent,
  TestFiles,
  TestInputs,
  TestOutcome,
  TestRecord,
  Vote,
} from '../../engine/protocol/comparison.ts';
import type { Answer, EngineApi, RunRecord } from '../../engine/protocol/protocol.ts';
import { mayRead } from '../../platform/permission.ts';
import type { AppState } from '../shared/app-state.ts';
import { askToRead } from '../shared/browser-questions.ts';
import { withDemo, withDemoAgain } from '../shared/demo-tests.ts';
import type { EngineWatch } from '../shared/engine-watch.ts';
import { fromStorage } from '../shared/from-storage.ts';
import { neededHandles, type RunPart } from '../shared/needed-handles.ts';
import { Store } from '../shared/store.ts';
import { missingFiles } from '../shared/test-files.ts';
import { resultName } from '../shared/version-names.ts';
import { emptyDraft, type TestDraft } from './test-draft.ts';
import { afterTestEvent, type Shown } from './test-events.ts';

export interface TestsState extends Shown {
  draft: TestDraft;
  /** The two versions that are compared, by index. */
  pair: readonly [a: number, b: number];
  /** Files of the shown test that were chosen again, to go on with it. */
  again: TestFiles;
  /** Why a request was refused. */
  refusal?: string | undefined;
  /** A test that has finished while another stage was shown. */
  unseen?: TestRecord | undefined;
}

const REFRESH_MS = 1500;

/** Stage four: running, storing and comparing tests. */
export class Tests {
  readonly store = new Store<TestsState>({ draft: emptyDraft, pair: [0, 1], again: {}, records: [] });
  readonly #engine: EngineApi;
  readonly #app: Store<AppState>;
  readonly #watch: EngineWatch;
  #refreshing: ReturnType<typeof setTimeout> | undefined;

  constructor(engine: EngineApi, app: Store<AppState>, watch: EngineWatch) {
    this.#engine = engine;
    this.#app = app;
    this.#watch = watch;
  }

  /** At the page's start: resumes an interrupted test where nothing prevents it; else offers it. */
  async recover(): Promise<void> {
    const records = await this.#refresh();
    const record = records.find(({ status }) => status === 'unfinished');
    if (!record) {
      return;
    }
    // The page's address may have opened another.
    if (!this.store.state.detail) {
      await this.open(record.id);
    }
    if (
      record.stopped ||
      this.#app.state.elsewhere ||
      missingFiles(record, this.#app.state.runs, {}).length > 0
    ) {
      return;
    }
    if (await mayRead(await this.#handles(record))) {
      void this.resume(record);
    }
  }

  /** Called from a click: the browser may have to ask for permission to read the files. */
  async start(inputs: TestInputs): Promise<void> {
    const { runs } = this.#app.state;
    const needed = await neededHandles(this.#engine, runs, partsOf(inputs));
    await mayRead(needed, askToRead(this.#app, 'to test with it'));
    const ready = await withDemo(inputs, runs).catch(() => inputs);
    this.store.update({
      running: { name: inputs.name, stopping: false, notes: [] },
      detail: undefined,
      comparison: undefined,
      refusal: undefined,
    });
    await this.#follow((onEvent) => this.#engine.startTest(ready, onEvent));
  }

  async resume(record: TestRecord): Promise<void> {
    const { again } = this.store.state;
    await mayRead(await this.#handles(record), askToRead(this.#app, 'to continue the test'));
    this.store.update({
      running: { id: record.id, name: record.name, stopping: false, notes: [] },
      refusal: undefined,
    });
    const files = await withDemoAgain(record, this.#app.state.runs, again).catch(() => again);
    await this.#follow((onEvent) => this.#engine.resumeTest(record.id, files, onEvent));
  }

  /**
   * Asks the questions of a test again, of the version that it asked last and of the one that a run made of that. The
   * page stays where it is.
   */
  async repeat(record: TestRecord, run: RunRecord): Promise<void> {
    const { runs } = this.#app.state;
    const name = resultName(run.id, runs);
    this.close();
    this.store.update({ running: { name: record.name, stopping: false, notes: [] } });
    const files = await withDemoAgain(record, runs, {}).catch(() => ({}));
    await this.#follow((onEvent) =>
      this.#engine.repeatTest(record.id, { run: run.id, name }, files, onEvent),
    );
  }

  async stop(): Promise<void> {
    const { running } = this.store.state;
    if (running) {
      this.store.update({ running: { ...running, stopping: true } });
    }
    void this.#watch.watch();
    await this.#engine.stopTest();
  }

  /** Shows a stored test. */
  open(id: string): Promise<void> {
    this.store.update({ refusal: undefined });
    return this.#show(id);
  }

  /** The user has come to the tests. */
  seen(): void {
    this.store.update({ unseen: undefined });
  }

  close(): void {
    this.store.update({ detail: undefined, comparison: undefined, again: {}, refusal: undefined });
  }

  async compare(pair: readonly [a: number, b: number]): Promise<void> {
    this.store.update({ pair });
    const { detail } = this.store.state;
    if (!detail || pair[0] === pair[1]) {
      return this.store.update({ comparison: undefined });
    }
    const answer = await this.#engine.compareVersions(detail.record.id, ...pair);
    const now = this.store.state;
    if (now.detail?.record.id !== detail.record.id || now.pair !== pair) {
      return;
    }
    if (answer.ok) {
      this.store.update({ comparison: answer.value });
    } else {
      this.#refuse(answer.sentence);
    }
  }

  async vote(question: number, vote: Vote | undefined): Promise<void> {
    const { detail, comparison, pair } = this.store.state;
    if (!detail) {
      return;
    }
    const votes = detail.votes.with(question, vote);
    this.store.update({ detail: { ...detail, votes } });
    const answer = await this.#engine.vote(detail.record.id, question, vote);
    if (!answer.ok) {
      return this.#refuse(answer.sentence);
    }
    if (comparison) {
      await this.compare(pair);
    }
  }

  async rename(id: string, name: string): Promise<void> {
    if (!this.#done(await this.#engine.renameTest(id, name))) {
      return;
    }
    const { detail } = this.store.state;
    if (detail?.record.id === id) {
      this.store.update({ detail: { ...detail, record: { ...detail.record, name } } });
    }
    await this.#refresh();
  }

  async delete(id: string): Promise<void> {
    if (!this.#done(await this.#engine.deleteTest(id))) {
      return;
    }
    if (this.store.state.detail?.record.id === id) {
      this.close();
    }
    await this.#refresh();
  }

  results(id: string, version: number): Promise<Answer<Blob>> {
    return this.#engine.testResults(id, version);
  }

  csv(id: string): Promise<Answer<Blob>> {
    return this.#engine.testCsv(id);
  }

  /** After something was deleted elsewhere, or another tab went on with a test. */
  async refresh(): Promise<void> {
    const records = await this.#refresh();
    const { detail } = this.store.state;
    const record = records.find(({ id }) => id === detail?.record.id);
    if (detail && !record) {
      this.close();
    } else if (record && progressOf(record) !== progressOf(detail!.record)) {
      await this.#show(record.id);
    }
  }

  async #follow(begin: (onEvent: (event: TestEvent) => void) => Promise<Answer<TestOutcome>>): Promise<void> {
    const onEvent = (event: TestEvent) => {
      this.store.update(afterTestEvent(this.store.state, event));
      const { running } = this.store.state;
      if (event.type === 'created') {
        void this.#show(event.record.id);
      } else if (event.type === 'version' && running?.id) {
        void this.#show(running.id);
      } else if (event.type === 'answer') {
        this.#showSoon();
      }
    };
    const outcome = await begin(onEvent).catch((error: unknown): Answer<TestOutcome> => {
      this.#app.update({ crash: String(error) });
      return { ok: false, sentence: `The engine stopped: ${String(error)}; continue the test.` };
    });
    const id = outcome.ok ? outcome.value.id : this.store.state.running?.id;
    this.store.update({ running: undefined });
    const records = await this.#refresh();
    if (this.#app.state.view !== 'test') {
      this.store.update({ unseen: records.find((one) => one.id === id && one.status === 'finished') });
    }
    if (id !== undefined) {
      await this.#show(id);
    }
    if (outcome.ok) {
      this.store.update({ again: {} });
    } else {
      this.#refuse(outcome.sentence);
    }
  }

  /** The engine computes the scores: while answers arrive it is asked for them from time to time. */
  #showSoon(): void {
    if (this.#refreshing !== undefined) {
      return;
    }
    this.#refreshing = setTimeout(() => {
      this.#refreshing = undefined;
      const { running, detail } = this.store.state;
      if (running?.id !== undefined && detail?.record.id === running.id) {
        void this.#show(running.id);
      }
    }, REFRESH_MS);
  }

  /** Asks the engine for a test and, where there are two versions, for their comparison. */
  async #show(id: string): Promise<void> {
    const answer = await this.#engine.test(id);
    if (!answer.ok) {
      return this.#refuse(answer.sentence);
    }
    const { detail: before, pair } = this.store.state;
    const same = before?.record.id === id;
    const { length } = answer.value.versions;
    const detail = same ? withAnswersOf(before, answer.value) : answer.value;
    this.store.update({ detail, ...(same ? {} : { comparison: undefined, again: {} }) });
    await this.compare(same ? pair : [Math.max(0, length - 2), length - 1]);
  }

  async #refresh(): Promise<readonly TestRecord[]> {
    const { records: before } = this.store.state;
    const records = await fromStorage(this.#app, () => this.#engine.tests(), before);
    this.store.update({ records });
    return records;
  }

  #done(answer: Answer<unknown>): boolean {
    if (!answer.ok) {
      this.#refuse(answer.sentence);
    }
    return answer.ok;
  }

  #refuse(refusal: string): void {
    this.store.update({ refusal });
  }

  /** Of what is still to be read: no question is asked for more. */
  async #handles({
    handles,
    baseRun,
    baseKept,
    validationFile,
    versions,
  }: TestRecord): Promise<FileSystemHandle[]> {
    const lossWanted = (version: TestedVersion) => validationFile !== undefined && !version.evalLoss;
    const isOpen = versions.map((version) => version.state !== 'finished' || lossWanted(version));
    const parts: RunPart[] = versions.flatMap(({ kind, run }, i) =>
      kind === 'source' && run && isOpen[i] ? [[run, 'source'] as const] : [],
    );
    if (baseRun && !handles.base && !baseKept) {
      parts.push([baseRun, 'base']);
    }
    const rowsWanted = versions.some(lossWanted);
    if (baseRun && rowsWanted && !handles.validation) {
      parts.push([baseRun, 'validation']);
    }
    const own = [
      baseKept ? undefined : handles.base,
      rowsWanted ? handles.validation : undefined,
      ...versions.map((_, i) => (isOpen[i] ? handles.folders[i] : undefined)),
    ];
    return [
      ...own.filter((handle) => handle !== undefined),
      ...(await neededHandles(this.#engine, this.#app.state.runs, parts)),
    ];
  }
}

/** What of a test another tab may have changed. */
const progressOf = ({ name, status, stopped, versions }: TestRecord): string =>
  JSON.stringify([name, status, stopped, versions]);

/** Answers that arrived while the engine assembled the detail are not lost. */
const withAnswersOf = (before: TestDetail, now: TestDetail): TestDetail => ({
  ...now,
  versions: now.versions.map((results, v) => ({
    ...results,
    answers: results.answers.map((answer, i) => answer ?? before.versions[v]?.answers[i]),
    scores: results.scores.map((scores, i) => scores ?? before.versions[v]?.scores[i]),
  })),
});

/** What a test takes of runs that the browser may keep outside its own storage. */
const partsOf = ({ base, validation, versions }: TestInputs): RunPart[] => [
  ...('run' in base && base.run ? [[base.run, 'base'] as const] : []),
  ...(validation && 'run' in validation ? [[validation.run, 'validation'] as const] : []),
  ...versions.flatMap(({ version }) => (version.kind === 'source' ? [[version.run, 'source'] as const] : [])),
];
