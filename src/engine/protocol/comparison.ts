import type { TestAnswer as ModelAnswer } from '../../comparison/batch-test.ts';
import type { Change, GroupChange, Headline } from '../../comparison/headline.ts';
import type { Question } from '../../comparison/questions.ts';
import type { Group, Scores, Summary } from '../../comparison/scores.ts';
import type { EvalLoss } from '../../comparison/version-loss.ts';
import type { TrainedQuestion } from '../../corrections/trained-on.ts';
import type { Recipe } from '../../formats/recipe.ts';
import type { PromptForm } from '../../generate/prompt-form.ts';
import type { Sampling } from '../../generate/sampling.ts';
import type { ChosenFile, ChosenFolder } from '../../platform/chosen-files.ts';
import type { RunEvent } from '../../run/events.ts';
import type { FamilyMember } from '../../run/lineage.ts';
import type { Vote } from '../../storage/test-records.ts';
import type { Answer } from '../answer.ts';
import type { OnProgress } from '../watch.ts';

export type { EvalLoss } from '../../comparison/version-loss.ts';
export type { FamilyMember } from '../../run/lineage.ts';

/** What answers the questions of a batch test. */
export type TestVersion =
  | { kind: 'base' }
  /** What a run started from: its V1. */
  | { kind: 'source'; run: string }
  /** What a run made: its V2. */
  | { kind: 'result'; run: string }
  | { kind: 'checkpoint'; run: string; step: number }
  | { kind: 'folder'; folder: ChosenFolder };

/** A version, under the name of its column. */
export interface NamedVersion {
  name: string;
  version: TestVersion;
}

/** The files that a run was started with, as far as the browser still has a way to them. */
export interface OfRun {
  run: string;
}

export interface TestOptions {
  /** undefined: as the versions were trained, where one of them says; else text. */
  form: PromptForm | undefined;
  /** GREEDY or RECIPE_SAMPLING of src/generate/sampling.ts, or anything between. */
  sampling: Sampling;
  /** Most tokens of an answer. */
  maxNewTokens: number;
  /** A whole number below 2³². */
  seed: number;
}

/** Everything a batch test is started with. */
export interface TestInputs {
  name: string;
  base: ChosenFolder | OfRun;
  questions: ChosenFile;
  /** Rows that loss and perplexity of every version are measured on; undefined for none. */
  validation: ChosenFile | OfRun | undefined;
  versions: readonly NamedVersion[];
  options: TestOptions;
  /** Whose quantization, max_seq_length and evaluation settings count; undefined: those of the base's run, else the defaults. */
  recipe?: Recipe | undefined;
}

/** Files that the browser kept no way to, chosen again; a version's folder by its index. */
export interface TestFiles {
  base?: ChosenFolder | undefined;
  validation?: ChosenFile | undefined;
  folders?: Readonly<Record<number, ChosenFolder>> | undefined;
}

/** Handles of a test's own files, for the page to ask permission by. */
export interface TestHandles {
  base?: FileSystemDirectoryHandle | undefined;
  validation?: FileSystemFileHandle | undefined;
  folders: Readonly<Record<number, FileSystemDirectoryHandle>>;
}

/** A version of a test, and its progress. */
export interface TestedVersion {
  name: string;
  kind: TestVersion['kind'];
  /** The run and the step that it comes from. */
  run?: string | undefined;
  step?: number | undefined;
  /** The chosen folder's name. */
  folder?: string | undefined;
  /** The adapter's hash, as the family tree has it; known once it was read. */
  hash?: string | undefined;
  state: 'waiting' | 'finished' | 'failed';
  /** Why it failed, in one message. The other versions continue. */
  sentence?: string | undefined;
  answered: number;
  evalLoss?: EvalLoss | undefined;
}

/** A batch test as the browser keeps it. */
export interface TestRecord {
  id: string;
  name: string;
  /** Milliseconds since 1970. */
  created: number;
  /** Finished: every version has answered everything or failed. */
  status: 'unfinished' | 'finished';
  /** The user stopped it: it does not resume on its own. */
  stopped: boolean;
  base: string;
  /** The run whose base it uses; undefined where the base was chosen. */
  baseRun?: string | undefined;
  /** The browser holds the base itself: nobody is asked for it. */
  baseKept: boolean;
  questionsFile: string;
  questions: number;
  validationFile: string | undefined;
  options: TestOptions;
  /** The form in which the questions are put; known once the versions were read. */
  form: PromptForm | undefined;
  versions: readonly TestedVersion[];
  handles: TestHandles;
}

/** One version's share of a test; lists follow the questions. */
export interface VersionResults {
  answers: readonly (ModelAnswer | undefined)[];
  /** undefined where there is no answer yet, or no expected answer. */
  scores: readonly (Scores | undefined)[];
  /** Over what is answered so far. */
  summary: Summary;
  /** The same without the questions that any version was trained on; undefined where there are none. */
  untrained?: Summary | undefined;
  topics: readonly Group[];
  difficulties: readonly Group[];
}

export type { Vote };

/** A test with all its results. */
export interface TestDetail {
  record: TestRecord;
  questions: readonly Question[];
  versions: readonly VersionResults[];
  /** By question. */
  votes: readonly (Vote | undefined)[];
  /** Questions that versions were trained on since their answers were corrected, by question. */
  trained: readonly (TrainedQuestion | undefined)[];
}

/** The second version against the first, over the questions that both have answered. */
export interface TestComparison {
  versions: readonly [a: number, b: number];
  /** undefined where no question that both answered has an expected answer. */
  headline: Headline | undefined;
  /** The same without the questions that one of the two was trained on; undefined where there are none. */
  untrained?: { headline: Headline | undefined; leftOut: number } | undefined;
  /** By question; undefined where it is not answered by both or has no expected answer. */
  changes: readonly (Change | undefined)[];
  /** Topics and difficulties, the one that fell most first; those with a negative difference got worse. */
  topics: readonly GroupChange[];
  difficulties: readonly GroupChange[];
  /** How the votes fell. */
  votes: { a: number; b: number; same: number };
}

export interface TestProgress {
  /** The version that is answering, by index. */
  version: number;
  /** Answers of all versions together, without those that failed. */
  answered: number;
  total: number;
  tokensPerSecond: number;
  /** Infinity until there is a first answer. */
  secondsLeft: number;
}

/** What a test tells while it runs. */
export type TestEvent =
  | { type: 'created'; record: TestRecord }
  | Extract<RunEvent, { type: 'phase' }>
  | { type: 'note'; text: string }
  | { type: 'progress'; progress: TestProgress }
  /** A complete answer; it is on disk. */
  | { type: 'answer'; version: number; question: number; answer: ModelAnswer; scores: Scores | undefined }
  /** A version's adapter was read, its loss is there, it has finished, or it failed. */
  | { type: 'version'; version: number; record: TestedVersion };

export interface TestOutcome {
  id: string;
  status: 'finished' | 'stopped';
}

/** What a questions file holds. */
export interface QuestionsFacts {
  name: string;
  questions: number;
  withExpected: number;
  topics: readonly string[];
  difficulties: readonly string[];
}

/** What is known of a run beyond what the run itself needs. */
export interface RunNotes {
  id: string;
  name: string;
  /** What the user wrote about it. */
  note: string;
  created: number;
  imported: boolean;
  /** SHA-256 of what went in, and of the adapter that came out (undefined until it has finished). */
  hashes: {
    base: string;
    source: string;
    train: string;
    validation: string;
    result: string | undefined;
  };
  /** Everything that deleting it frees. */
  bytes: number;
  /** What of it is stored: "result", "checkpoint 3", "conversations"… */
  parts: readonly string[];
  /** Tests that one of its versions took part in. */
  tests: readonly string[];
}

/** What takes up the browser's storage. */
export interface StorageItem {
  /** What deleteStored takes. */
  key: string;
  /** Of a kind of which there is but one item the name is empty. */
  kind: 'run' | 'test' | 'base cache' | 'choices' | 'device' | 'leftover' | 'second copy' | 'app files';
  name: string;
  bytes: number;
  parts: readonly { name: string; bytes: number }[];
  /** False for what is in use: a run that is training, a test that is running. */
  deletable: boolean;
}

export interface StorageAccount {
  items: readonly StorageItem[];
  /** Kinds of items that the browser would not count. */
  uncounted: readonly StorageItem['kind'][];
  /** The bytes of all items and of the overhead. */
  used: number;
  /** What the browser says beyond what the items take: its own records, and what it has not freed yet; undefined where it says nothing. */
  overhead: number | undefined;
  /** The browser's figure is smaller than what the items take: it has not counted yet what was written last. */
  lags: boolean;
  /** What the browser says that this site may still take (undefined where it does not say). */
  left: number | undefined;
  /** True: the browser keeps it until the user deletes it. False: it may clear it when the disk gets full. */
  persisted: boolean;
}

/**
 * Testing and lineage; the engine's worker answers these beside the rest of EngineApi. Whatever gives no Answer rejects
 * with UserError where the browser's storage fails.
 */
export interface TestApi {
  /** Reads a questions file; the sentence says what is wrong with it. */
  inspectQuestions(file: ChosenFile, signal?: AbortSignal): Promise<Answer<QuestionsFacts>>;
  /** Starts a test and resolves when it ends; `onEvent` hears 'created' first. */
  startTest(inputs: TestInputs, onEvent: (event: TestEvent) => void): Promise<Answer<TestOutcome>>;
  /** Answers what is left; `files` where the browser kept no handles. */
  resumeTest(
    id: string,
    files: TestFiles | undefined,
    onEvent: (event: TestEvent) => void,
  ): Promise<Answer<TestOutcome>>;
  /**
   * Asks a test's questions again: of the version that `made.run` continued, whose answers are taken as they are, and of
   * what that run made, under this name. Corrected questions without an expected answer have their correction as that.
   */
  repeatTest(
    id: string,
    made: { run: string; name: string },
    files: TestFiles | undefined,
    onEvent: (event: TestEvent) => void,
  ): Promise<Answer<TestOutcome>>;
  /** Ends the running test after the tokens under way; what is answered stays. */
  stopTest(): Promise<void>;
  /** Newest first. */
  tests(): Promise<TestRecord[]>;
  test(id: string): Promise<Answer<TestDetail>>;
  renameTest(id: string, name: string): Promise<Answer<undefined>>;
  deleteTest(id: string): Promise<Answer<undefined>>;
  /** The second version against the first, by index. */
  compareVersions(id: string, a: number, b: number): Promise<Answer<TestComparison>>;
  /** undefined withdraws the vote. */
  vote(id: string, question: number, vote: Vote | undefined): Promise<Answer<undefined>>;
  /** The recipe's result file of one version (JSON). */
  testResults(id: string, version: number): Promise<Answer<Blob>>;
  /** All versions side by side, a line for each question (CSV, UTF-8). */
  testCsv(id: string): Promise<Answer<Blob>>;

  /** Names, notes, hashes and bytes of the runs, newest first. */
  runNotes(): Promise<RunNotes[]>;
  renameRun(id: string, name: string): Promise<Answer<undefined>>;
  annotateRun(id: string, note: string): Promise<Answer<undefined>>;
  /** Takes a checkpoint as the run's result, for tests, chat and the next version; undefined for its result itself. */
  takeStep(id: string, step: number | undefined): Promise<Answer<undefined>>;
  /** Bases first, then what was trained from them. */
  family(): Promise<FamilyMember[]>;
  /**
   * What the next run begins with: this run's result, or its checkpoint of `step`, as its source (with `run` set), and
   * its base where the browser still has a way to it.
   */
  continueFrom(
    id: string,
    step?: number,
  ): Promise<Answer<{ source: ChosenFolder; base: ChosenFolder | undefined }>>;
  /** The whole run as a zip that importRun takes. */
  archiveRun(id: string, onProgress?: OnProgress, signal?: AbortSignal): Promise<Answer<Blob>>;
  /** Imports a run from such a zip after checking its hashes; if canceled, it leaves nothing behind. */
  importRun(
    file: File,
    onProgress?: OnProgress,
    signal?: AbortSignal,
  ): Promise<Answer<{ id: string; name: string }>>;

  /** Whether the browser keeps what is given to it; the sentence says why not, and what to do. */
  checkStorage(): Promise<Answer<undefined>>;
  storage(): Promise<StorageAccount>;
  /** Deletes one item of the account. */
  deleteStored(key: string): Promise<Answer<undefined>>;
  /** Deletes all but the page itself, as far as nothing of it is in use. */
  deleteAllStored(): Promise<Answer<undefined>>;
}
