import { askVersions } from '../../comparison/ask-versions.ts';
import type { TestAnswer } from '../../comparison/batch-test.ts';
import { parseQuestions, type Question } from '../../comparison/questions.ts';
import { scoreIfAnswered } from '../../comparison/scores.ts';
import type { VersionsEvent } from '../../comparison/versions.ts';
import type { Correction } from '../../corrections/correction.ts';
import { openBaseModel } from '../../formats/base-model.ts';
import type { ByteSource } from '../../formats/byte-source.ts';
import { UserError } from '../../formats/user-error.ts';
import { checkSampling } from '../../generate/sampling.ts';
import type { Gpu } from '../../gpu/device.ts';
import { withDevice } from '../../gpu/with-device.ts';
import { NO_ADAPTER, requestGpu } from '../../platform/browser-gpu.ts';
import type { StoredTest, StoredVersion, TestRecords } from '../../storage/test-records.ts';
import { showMoment } from '../../text/moment.ts';
import type { Trays } from '../corrections/trays.ts';
import { sourceOf } from '../files/files.ts';
import type { TestEvent, TestFiles, TestInputs, TestOutcome, TestProgress } from '../protocol/comparison.ts';
import type { Runs } from '../runs/runs.ts';
import { chosenFiles, storedVersion, type TestSources } from './inputs.ts';
import { TestJournal } from './journal.ts';
import { TestMeter } from './progress.ts';
import { expectingCorrections, type MadeVersion, repeated } from './repeat.ts';
import { testRecord } from './results.ts';

type OnEvent = (event: TestEvent) => void;

const FORM_NOTE =
  'No version says how it was asked in training, so questions are put as "### Instruction: …"; choose the chat template if they were trained on chats.';

/** The batch tests of this browser: at most one of them runs, and only while nothing trains. */
export class BatchTests {
  readonly records: TestRecords;
  readonly #runs: Runs;
  readonly #sources: TestSources;
  readonly #trays: Pick<Trays, 'trainedOn'>;

  constructor(records: TestRecords, runs: Runs, sources: TestSources, trays: Pick<Trays, 'trainedOn'>) {
    this.records = records;
    this.#runs = runs;
    this.#sources = sources;
    this.#trays = trays;
  }

  /** Starts a test and resolves when it ends. Throws UserError. */
  async start(inputs: TestInputs, onEvent: OnEvent): Promise<TestOutcome> {
    const { versions, options } = inputs;
    checkSampling(options.sampling);
    if (versions.length === 0) {
      throw new UserError('No version is chosen; choose at least one to test.');
    }
    const questions = await parseQuestions(sourceOf(inputs.questions));
    const test: StoredTest = {
      id: crypto.randomUUID(),
      name: inputs.name,
      created: Date.now(),
      status: 'unfinished',
      stopped: false,
      ...(await this.#sources.describe(inputs)),
      questionsFile: inputs.questions.file.name,
      questions: questions.length,
      options,
      recipe: await this.#sources.recipe(inputs),
      form: undefined,
      versions: versions.map(storedVersion),
    };
    const { id, name } = test;
    return this.#runs.alone({ id, name, doing: 'testing' }, onEvent, async ({ signal }) => {
      this.#sources.remember(id, chosenFiles(inputs));
      // A test that never had a base is not worth listing.
      await openBaseModel(await this.#sources.base(test));
      await this.records.create(test, questions, await this.#corrected(test));
      onEvent({ type: 'created', record: testRecord(test, []) });
      return this.#run(test, signal, onEvent);
    });
  }

  /** Answers what is left; versions that failed are tried again. Throws UserError. */
  async resume(id: string, files: TestFiles | undefined, onEvent: OnEvent): Promise<TestOutcome> {
    const { name } = await this.record(id);
    return this.#runs.alone({ id, name, doing: 'testing' }, onEvent, async ({ signal }) => {
      const test = await this.record(id);
      if (files) {
        this.#sources.remember(id, files);
      }
      const versions = test.versions.map((version) =>
        version.state === 'failed' ? { ...version, state: 'waiting' as const, sentence: undefined } : version,
      );
      return this.#run({ ...test, versions, status: 'unfinished', stopped: false }, signal, onEvent);
    });
  }

  /** Asks a test's questions of what a run made, beside the answers that it has of what that run continued. Throws UserError. */
  async repeat(
    id: string,
    made: MadeVersion,
    files: TestFiles | undefined,
    onEvent: OnEvent,
  ): Promise<TestOutcome> {
    const { sourceRun, sourceStep, taken } = await this.#runs.record(made.run);
    const source = { run: sourceRun, step: sourceStep };
    const { test, kept } = repeated(await this.record(id), source, { ...made, step: taken?.step });
    return this.#runs.alone(
      { id: test.id, name: test.name, doing: 'testing' },
      onEvent,
      async ({ signal }) => {
        this.#sources.remember(test.id, this.#sources.chosen(id, kept));
        if (files) {
          this.#sources.remember(test.id, files);
        }
        const corrections = await this.#trays.trainedOn(made.run);
        const questions = expectingCorrections(await this.records.questions(id), corrections);
        const answers = (await this.records.answers(id))[kept] ?? new Map<number, TestAnswer>();
        await this.records.create(test, questions, await this.#corrected(test));
        for (const [question, answer] of answers) {
          await this.records.putAnswer(test, 0, question, answer);
        }
        onEvent({ type: 'created', record: testRecord(test, [answers.size]) });
        return this.#run(test, signal, onEvent);
      },
    );
  }

  /** By version, the corrections that it was trained on: as its runs had them when the test began. */
  async trainedOn(test: StoredTest): Promise<readonly (readonly Correction[])[]> {
    return (await this.records.corrected(test.id)) ?? this.#corrected(test);
  }

  #corrected({ versions }: StoredTest): Promise<(readonly Correction[])[]> {
    return Promise.all(versions.map((version) => this.#trainedOn(version)));
  }

  async #trainedOn({ kind, run }: Pick<StoredVersion, 'kind' | 'run'>): Promise<readonly Correction[]> {
    if (run === undefined || kind === 'base' || kind === 'folder') {
      return [];
    }
    const from = kind === 'source' ? (await this.#runs.records.get(run))?.sourceRun : run;
    return from === undefined ? [] : this.#trays.trainedOn(from);
  }

  /** Whether the browser holds the base that an unfinished test goes on with. */
  async keepsBase(test: StoredTest): Promise<boolean> {
    return test.status === 'unfinished' && (await this.#sources.keptBase(test)) !== undefined;
  }

  /** Ends the test that is running. */
  stop(): void {
    const { active } = this.#runs;
    if (active?.doing === 'testing') {
      active.control.stop();
    }
  }

  /** Throws UserError where there is no such test. */
  async record(id: string): Promise<StoredTest> {
    const test = await this.records.get(id);
    if (!test) {
      throw new UserError(
        'This test is no longer in this browser: it was deleted, or the site data was cleared.',
      );
    }
    return test;
  }

  async rename(id: string, name: string): Promise<undefined> {
    await this.#runs.checkAtRest(id, 'rename');
    await this.records.put({ ...(await this.record(id)), name: name.trim() || 'Test' });
  }

  async delete(id: string): Promise<undefined> {
    await this.#runs.checkAtRest(id, 'delete');
    this.#sources.forget(id);
    await this.records.delete(id);
  }

  async #run(start: StoredTest, stop: AbortSignal, onEvent: OnEvent): Promise<TestOutcome> {
    const { id, versions, options, recipe } = start;
    const questions = await this.records.questions(id);
    const journal = new TestJournal(this.records, start, await this.records.answers(id), onEvent);
    journal.change({});
    const validation = await this.#validation(start, onEvent);
    const heard = listener(journal, questions, onEvent);
    // What a lost device still returns is ignored.
    let over = false;
    const emit = (event: VersionsEvent): void => {
      if (!over) {
        heard(event);
      }
    };
    try {
      const base = await this.#sources.base(start);
      await withDevice(openGpu, lostGpu, (openGpu) =>
        askVersions({
          base,
          baseCache: this.#sources.cache,
          versions: versions.map((version, i) => ({
            open: version.kind === 'base' ? undefined : async () => (await this.#sources.adapter(start, i))!,
            answered: new Set(journal.answers[i]!.keys()),
            lossWanted: validation !== undefined && !version.evalLoss,
          })),
          questions,
          validation,
          recipe,
          ...options,
          // The name of the setting in the page.
          shorter: 'lower the longest answer',
          form: options.form ?? start.form,
          date: start.date,
          openGpu,
          emit,
          signal: AbortSignal.any([stop, journal.failed]),
        }),
      );
      await journal.settled();
      journal.change({ status: 'finished' });
      await journal.settled();
      return { id, status: 'finished' };
    } catch (error) {
      over = true;
      await journal.settled();
      if (!stop.aborted || error !== stop.reason) {
        throw error;
      }
      journal.change({ stopped: true });
      await journal.settled();
      return { id, status: 'stopped' };
    }
  }

  /** The rows for the loss; where they are gone the rest of the test continues. */
  async #validation(test: StoredTest, onEvent: OnEvent): Promise<ByteSource | undefined> {
    if (test.versions.every(({ evalLoss }) => evalLoss)) {
      return undefined;
    }
    try {
      return await this.#sources.validation(test);
    } catch (error) {
      if (!(error instanceof UserError)) {
        throw error;
      }
      onEvent({ type: 'note', text: `No loss is measured: ${error.message}` });
      return undefined;
    }
  }
}

/** Stores a test's events and passes them to the page. */
function listener(
  journal: TestJournal,
  questions: readonly Question[],
  onEvent: OnEvent,
): (event: VersionsEvent) => void {
  const { versions, form } = journal.record;
  const meter = new TestMeter(journal.answered, questions.length * versions.length);
  const tell = (progress: TestProgress | undefined): void => {
    if (progress) {
      onEvent({ type: 'progress', progress });
    }
  };
  return (event) => {
    switch (event.type) {
      case 'phase':
      case 'note':
        return onEvent(event);
      case 'form':
        if (!event.said && form === undefined) {
          onEvent({ type: 'note', text: FORM_NOTE });
        }
        return journal.change({ form: event.form });
      case 'date':
        return tellDate(journal, event, onEvent);
      case 'base':
        return tellBase(journal, event.hash);
      case 'opened':
        return journal.version(event.version, { hash: event.hash });
      case 'failed':
        meter.failed(questions.length - journal.answers[event.version]!.size);
        return journal.version(event.version, { state: 'failed', sentence: event.error.message });
      case 'loss':
        return journal.version(event.version, { evalLoss: event.loss });
      case 'answering':
        return tell(meter.tokens(event.version, event.progress.tokens));
      case 'answer': {
        const { version, question, answer } = event;
        const scores = scoreIfAnswered(answer, questions[question]!.answer);
        return journal.answer(version, question, answer, () => {
          onEvent({ type: 'answer', version, question, answer, scores });
          tell(meter.answer(answer.outputTokens));
        });
      }
    }
  };
}

/** A test goes on with the base that it began with. Throws UserError where this is another. */
function tellBase(journal: TestJournal, hash: string): void {
  const { base, baseHash } = journal.record;
  if (baseHash !== undefined && baseHash !== hash) {
    throw new UserError(
      `${base}: this is not the base that the test began with, though it has its name; choose that one, or start the test anew.`,
    );
  }
  if (baseHash === undefined) {
    journal.change({ baseHash: hash });
  }
}

/** A resumed test writes the date that it started with. */
function tellDate(
  journal: TestJournal,
  { date, said }: Extract<VersionsEvent, { type: 'date' }>,
  onEvent: OnEvent,
): void {
  if (date === undefined || journal.record.date === date) {
    return;
  }
  const whose = said ? "the date of a version's training" : 'today';
  const text = `The chat template writes the current date: ${showMoment(date)}, ${whose}.`;
  onEvent({ type: 'note', text });
  journal.change({ date });
}

async function openGpu(): Promise<Gpu> {
  const gpu = await requestGpu();
  if (!gpu) {
    throw new UserError(NO_ADAPTER);
  }
  return gpu;
}

const lostGpu = ({ name }: Gpu, why: string): UserError =>
  new UserError(`${name} was lost (${why}); continue the test.`);
