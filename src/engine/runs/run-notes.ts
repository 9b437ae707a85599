import { UserError } from '../../formats/user-error.ts';
import { adapterHash } from '../../run/checkpoint/identity.ts';
import { type FamilyMember, familyTree } from '../../run/lineage.ts';
import { type RunRecords, type StoredRun, UNREAD } from '../../storage/run-records.ts';
import { type StoredBytes, sumOf } from '../../storage/stored-bytes.ts';
import type { TestRecords } from '../../storage/test-records.ts';
import { folderOf } from '../files/files.ts';
import type { RunFiles } from '../files/inputs.ts';
import type { RunNotes } from '../protocol/comparison.ts';
import type { ChosenFolder } from '../protocol/protocol.ts';
import { MAX_NAME, MAX_NOTE } from './archived-run.ts';
import type { Runs } from './runs.ts';

/** Names, notes and lineage of the runs. */
export class RunNotesStore {
  readonly #runs: Runs;
  readonly #records: RunRecords;
  readonly #tests: TestRecords;
  readonly #files: RunFiles;

  readonly #stored: () => Promise<StoredBytes>;

  constructor(runs: Runs, tests: TestRecords, files: RunFiles, stored: () => Promise<StoredBytes>) {
    this.#stored = stored;
    this.#runs = runs;
    this.#records = runs.records;
    this.#tests = tests;
    this.#files = files;
  }

  /** Newest first. */
  async notes(): Promise<RunNotes[]> {
    const tests = await this.#tests.list();
    const runs = await this.#records.list();
    const { runs: stored } = await this.#stored();
    return Promise.all(
      runs.map(async (run) => {
        const { id, name, note = '', created, imported = false, identity } = run;
        const { base, source, train, validation } = identity;
        return {
          id,
          name,
          note,
          created,
          imported,
          hashes: { base, source, train, validation, result: await this.#resultHash(run) },
          bytes: sumOf(stored.get(id) ?? new Map()),
          parts: [...(stored.get(id) ?? new Map<string, number>()).keys()],
          tests: tests.filter(({ versions }) => versions.some((v) => v.run === id)).map((test) => test.id),
        };
      }),
    );
  }

  /** Throws UserError where there is no such run, or the name is too long for its archive. */
  async rename(id: string, name: string): Promise<undefined> {
    await this.#runs.record(id);
    const trimmed = name.trim();
    checkLength('The name', trimmed, MAX_NAME);
    if (trimmed !== '') {
      await this.#records.describe(id, { name: trimmed });
    }
  }

  /** Throws UserError where there is no such run, or the note is too long for its archive. */
  async annotate(id: string, note: string): Promise<undefined> {
    await this.#runs.record(id);
    checkLength('The note', note, MAX_NOTE);
    await this.#records.describe(id, { note });
  }

  async family(): Promise<FamilyMember[]> {
    const runs = (await this.#records.list()).filter(({ identity }) => identity.base !== UNREAD);
    return familyTree(
      await Promise.all(
        runs.map(async (run) => ({
          ...run,
          resultHash: await this.#resultHash(run),
          takenHash: run.taken?.hash,
        })),
      ),
    );
  }

  /** Takes a checkpoint as the run's result; undefined for its result itself. Throws UserError where it is gone. */
  async take(id: string, step: number | undefined): Promise<undefined> {
    await this.#runs.record(id);
    const taken =
      step === undefined
        ? undefined
        : { step, hash: await adapterHash(folderOf(await this.#files.kept.open(id, step))) };
    await this.#records.describe(id, { taken });
  }

  /** Throws UserError where the run has no result, or no checkpoint of `step`. */
  async continueFrom(
    id: string,
    step?: number,
  ): Promise<{ source: ChosenFolder; base: ChosenFolder | undefined }> {
    const record = await this.#runs.record(id);
    const { name, run } = await this.#files.kept.open(id, step);
    // A base that may not be read without asking must be chosen again.
    const { base } = await this.#files.startedWith(record);
    return { source: { name, files: [], run, ...(step !== undefined && { step }) }, base };
  }

  /** Recorded when the run finished; runs of earlier versions are hashed when they are first asked for. */
  async #resultHash(run: StoredRun): Promise<string | undefined> {
    if (run.resultHash !== undefined || run.status !== 'finished') {
      return run.resultHash;
    }
    const resultHash = await adapterHash(await this.#runs.storeOf(run).openResult());
    await this.#records.amend(run, { resultHash });
    return resultHash;
  }
}

function checkLength(what: string, { length }: string, max: number): void {
  if (length > max) {
    throw new UserError(`${what} has ${length} characters, expected at most ${max}; shorten it.`);
  }
}
