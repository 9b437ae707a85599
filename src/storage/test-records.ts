import { get, set, update, type UseStore } from 'idb-keyval';
import type { TestAnswer } from '../comparison/batch-test.ts';
import type { Question } from '../comparison/questions.ts';
import type { EvalLoss } from '../comparison/version-loss.ts';
import type { Correction } from '../corrections/correction.ts';
import type { Recipe } from '../formats/recipe.ts';
import type { PromptForm } from '../generate/prompt-form.ts';
import type { Sampling } from '../generate/sampling.ts';
import type { Moment } from '../text/moment.ts';
import { entriesUnder, keysUnder, replaceEntries, under, valuesUnder } from './database.ts';
import { withinQuota } from './quota.ts';

/** A version in a test, as it was chosen, and its progress. */
export interface StoredVersion {
  name: string;
  kind: 'base' | 'source' | 'result' | 'checkpoint' | 'folder';
  run?: string | undefined;
  step?: number | undefined;
  /** Name and handle of a chosen folder. */
  folder?: string | undefined;
  handle?: FileSystemDirectoryHandle | undefined;
  hash?: string | undefined;
  state: 'waiting' | 'finished' | 'failed';
  sentence?: string | undefined;
  evalLoss?: EvalLoss | undefined;
}

/** A batch test without its questions and answers. */
export interface StoredTest {
  id: string;
  name: string;
  /** Milliseconds since 1970. */
  created: number;
  status: 'unfinished' | 'finished';
  stopped: boolean;
  /** The base folder's name, and the run or the handle that leads to it. */
  base: string;
  baseRun?: string | undefined;
  baseHandle?: FileSystemDirectoryHandle | undefined;
  /** SHA-256 of the base's files, once it is known; undefined in records of earlier versions. */
  baseHash?: string | undefined;
  questionsFile: string;
  questions: number;
  validationFile: string | undefined;
  validationRun?: string | undefined;
  validationHandle?: FileSystemFileHandle | undefined;
  options: { form: PromptForm | undefined; sampling: Sampling; maxNewTokens: number; seed: number };
  recipe: Recipe;
  form: PromptForm | undefined;
  /** The current date that the chat template writes; undefined if it writes none, or it is not known yet. */
  date?: Moment | undefined;
  versions: readonly StoredVersion[];
}

/** Which version's answer the user found best: its index, or that they are equally good. */
export type Vote = number | 'same';
/** By question. */
export type Votes = Readonly<Record<number, Vote>>;

const RECORDS = 'test-record/';
const placeOf = (id: string): string => `test/${id}/`;
const answersOf = (id: string): string => `${placeOf(id)}answer/`;

/**
 * Batch tests in the browser's database: `test-record/<id>`, with `test/<id>/questions`, `test/<id>/corrected`,
 * `test/<id>/votes` and an entry `test/<id>/answer/<version>/<question>` per answer.
 */
export class TestRecords {
  readonly #store: UseStore;

  constructor(store: UseStore) {
    this.#store = store;
  }

  /** Newest first. */
  async list(): Promise<StoredTest[]> {
    return (await valuesUnder<StoredTest>(this.#store, RECORDS)).toSorted((a, b) => b.created - a.created);
  }

  get(id: string): Promise<StoredTest | undefined> {
    return get(RECORDS + id, this.#store);
  }

  /**
   * `corrected`: by version, the corrections that it was trained on, which outlive its run. Throws UserError if the
   * browser's storage is full.
   */
  async create(
    test: StoredTest,
    questions: readonly Question[],
    corrected: readonly (readonly Correction[])[] = [],
  ): Promise<void> {
    const place = placeOf(test.id);
    const isTrained = corrected.some(({ length }) => length > 0);
    await withinQuota(test.name, 1e6, () =>
      replaceEntries(
        this.#store,
        [],
        [
          [`${place}questions`, questions],
          ...(isTrained ? [[`${place}corrected`, corrected] as const] : []),
          [RECORDS + test.id, test],
        ],
      ),
    );
  }

  /** undefined where no version was trained on any, and in records of earlier versions. */
  corrected(id: string): Promise<readonly (readonly Correction[])[] | undefined> {
    return get(`${placeOf(id)}corrected`, this.#store);
  }

  /** Throws UserError if the browser's storage is full. */
  async put(test: StoredTest): Promise<void> {
    await withinQuota(test.name, 1e6, () => set(RECORDS + test.id, test, this.#store));
  }

  async questions(id: string): Promise<readonly Question[]> {
    return (await get<readonly Question[]>(`${placeOf(id)}questions`, this.#store)) ?? [];
  }

  /** Stores an answer: it is on disk when this resolves. Throws UserError if the browser's storage is full. */
  async putAnswer(test: StoredTest, version: number, question: number, answer: TestAnswer): Promise<void> {
    const key = `${answersOf(test.id)}${version}/${question}`;
    await withinQuota(test.name, 1e6, () => set(key, answer, this.#store));
  }

  /** By version, then by question; missing ones are not answered yet. */
  async answers(id: string): Promise<Map<number, TestAnswer>[]> {
    const found: Map<number, TestAnswer>[] = [];
    const prefix = answersOf(id);
    for (const [key, answer] of await entriesUnder<TestAnswer>(this.#store, prefix)) {
      const [version, question] = key.slice(prefix.length).split('/').map(Number) as [number, number];
      (found[version] ??= new Map()).set(question, answer);
    }
    return Array.from(found, (answers) => answers ?? new Map<number, TestAnswer>());
  }

  /** Number of answers of each version. */
  async answered(id: string): Promise<number[]> {
    const counts: number[] = [];
    const prefix = answersOf(id);
    for (const key of await keysUnder(this.#store, prefix)) {
      const version = Number(key.slice(prefix.length).split('/')[0]);
      counts[version] = (counts[version] ?? 0) + 1;
    }
    return counts;
  }

  async votes(id: string): Promise<Votes> {
    return (await get<Votes>(`${placeOf(id)}votes`, this.#store)) ?? {};
  }

  /**
   * Sets the vote on a question, or takes it back; in one transaction, so that no other vote is lost. Throws UserError
   * if the browser's storage is full.
   */
  async vote(id: string, question: number, vote: Vote | undefined): Promise<void> {
    const change = (votes: Votes = {}): Votes => {
      const others = Object.entries(votes).filter(([other]) => Number(other) !== question);
      return Object.fromEntries(vote === undefined ? others : [...others, [question, vote]]);
    };
    await withinQuota('The vote', 1e6, () => update(`${placeOf(id)}votes`, change, this.#store));
  }

  async delete(id: string): Promise<void> {
    await replaceEntries(this.#store, [under(placeOf(id)), RECORDS + id], []);
  }
}
