import type { TestAnswer as ModelAnswer } from '../../src/comparison/batch-test.ts';
import { comparisonCsv } from '../../src/comparison/csv.ts';
import { compareScores } from '../../src/comparison/headline.ts';
import { parseQuestions, type Question } from '../../src/comparison/questions.ts';
import { scoreAnswer, type Scores, summarize, summarizeBy } from '../../src/comparison/scores.ts';
import type { Correction } from '../../src/corrections/correction.ts';
import { trainedQuestions } from '../../src/corrections/trained-on.ts';
import { answer } from '../../src/engine/answer.ts';
import type {
  FamilyMember,
  RunNotes,
  StorageItem,
  TestApi,
  TestDetail,
  TestEvent,
  TestInputs,
  TestOutcome,
  TestRecord,
  Vote,
} from '../../src/engine/protocol/comparison.ts';
import type { Answer, RunRecord } from '../../src/engine/protocol/protocol.ts';
import { blobSource } from '../../src/formats/blob-source.ts';
import { defaultRecipe } from '../../src/formats/recipe.ts';
import type { FakeTrays } from './fake-corrections.ts';

/** The scenario for tests of the page's comparison. */
export interface TestScenario {
  /** Milliseconds between two answers. */
  pace: number;
  /** Whether runs V2 and V3, and an interrupted one, exist at the start. */
  family: boolean;
  /** Whether a finished test of this many questions exists at the start. */
  tested: number;
  /** A test holds before this answer, counted over all versions, until the page is reloaded. */
  holdAnswer: number;
  /** The version whose files are gone. */
  gone: string;
  persisted: boolean;
}

export function testScenarioOf(search: URLSearchParams): TestScenario {
  const number = (key: string, fallback: number) => Number(search.get(key) ?? fallback);
  return {
    pace: number('pace', 2),
    family: search.has('family'),
    tested: number('tested', 0),
    holdAnswer: number('holdAnswer', Infinity),
    gone: search.get('gone') ?? '',
    persisted: search.has('persisted'),
  };
}

/** A test as the fake keeps it over a reload: in the tab's session storage, since it is no real engine. */
interface Kept {
  record: TestRecord;
  questions: readonly Question[];
  answers: (ModelAnswer | null)[][];
  votes: (Vote | null)[];
}

const MIB = 2 ** 20;
const KEY = 'fake tests';
const ok = <T>(value: T): Answer<T> => ({ ok: true, value });
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Comparison and lineage without an engine: answers are made up, figures come from the engine's own arithmetic. */
export function fakeTests(
  scenario: TestScenario,
  runs: Map<string, RunRecord>,
  trays: Pick<FakeTrays, 'corrected'>,
): TestApi {
  const tests = new Map<string, Kept>(JSON.parse(sessionStorage.getItem(KEY) ?? '[]') as [string, Kept][]);
  const save = () => sessionStorage.setItem(KEY, JSON.stringify([...tests]));
  const notes = new Map<string, string>();
  const gone = new Set<string>();
  let stopping = false;
  // After a reload a test is not held any more.
  const holdAnswer = tests.size > 0 ? Infinity : scenario.holdAnswer;
  if (scenario.family) {
    for (const run of familyRuns()) {
      runs.set(run.id, run);
    }
  }
  if (scenario.tested > 0 && tests.size === 0) {
    keepFinished(tests, scenario.tested);
  }

  const trainedIn = ({ record, questions }: Kept, versions = record.versions) =>
    trainedQuestions(
      questions,
      versions.map(({ kind, run }): readonly Correction[] =>
        kind === 'result' ? (trays.corrected.get(run!) ?? []) : [],
      ),
    );

  const detailOf = (kept: Kept): TestDetail => detailWith(kept, trainedIn(kept));
  const detailWith = (
    { record, questions, answers, votes }: Kept,
    trained: TestDetail['trained'],
  ): TestDetail => ({
    record,
    questions,
    votes: votes.map((vote) => vote ?? undefined),
    trained,
    versions: answers.map((given) => {
      const scored = given.map((one, i) =>
        one
          ? {
              outputTokens: one.outputTokens,
              cut: one.stopped !== 'stop id',
              scores: scoreAnswer(one.text, questions[i]!.answer),
            }
          : undefined,
      );
      return {
        answers: given.map((one) => one ?? undefined),
        scores: scored.map((one) => one?.scores),
        summary: summarize(scored.filter((one) => one !== undefined)),
        ...(trained.some(Boolean) && {
          untrained: summarize(scored.flatMap((one, i) => (one && !trained[i] ? [one] : []))),
        }),
        topics: summarizeBy(
          questions.map(({ topic }) => topic),
          scored,
        ),
        difficulties: summarizeBy(
          questions.map(({ difficulty }) => difficulty),
          scored,
        ),
      };
    }),
  });

  async function run(kept: Kept, onEvent: (event: TestEvent) => void): Promise<TestOutcome> {
    stopping = false;
    const { id } = kept.record;
    const set = (patch: Partial<TestRecord>) => (kept.record = { ...kept.record, ...patch });
    const setVersion = (i: number, patch: Partial<TestRecord['versions'][number]>) => {
      const version = { ...kept.record.versions[i]!, ...patch };
      set({ versions: kept.record.versions.with(i, version) });
      save();
      onEvent({ type: 'version', version: i, record: version });
    };
    set({ stopped: false });
    onEvent({ type: 'phase', phase: 'loading the base', done: 1200 * MIB, total: 3087 * MIB, unit: 'bytes' });
    await sleep(scenario.pace);
    const total = kept.questions.length * kept.answers.length;
    const trained = trainedIn(kept);
    for (const [version, { name, state }] of kept.record.versions.entries()) {
      if (state !== 'waiting') {
        continue;
      }
      if (name === scenario.gone) {
        const sentence = `${name}: it is not where it was; bring it back, or choose it again.`;
        setVersion(version, { state: 'failed', sentence });
        continue;
      }
      for (const [i, { answer: expected }] of kept.questions.entries()) {
        if (kept.answers[version]![i]) {
          continue;
        }
        const answered = kept.answers.flat().filter(Boolean).length;
        while (answered >= holdAnswer && !stopping) {
          await sleep(10);
        }
        if (stopping) {
          set({ stopped: true });
          save();
          return { id, status: 'stopped' };
        }
        await sleep(scenario.pace);
        const given = made(i, name, trained[i]?.versions.includes(version) ? trained[i].answer : expected);
        kept.answers[version]![i] = given;
        set({
          versions: kept.record.versions.with(version, {
            ...kept.record.versions[version]!,
            answered: kept.answers[version]!.filter(Boolean).length,
          }),
        });
        save();
        onEvent({
          type: 'answer',
          version,
          question: i,
          answer: given,
          scores: scoreAnswer(given.text, expected),
        });
        const progress = {
          version,
          answered: answered + 1,
          total,
          tokensPerSecond: 143,
          secondsLeft: (total - answered - 1) / 3,
        };
        onEvent({ type: 'progress', progress });
      }
      const loss = 2.1 - 0.4 * version;
      setVersion(version, {
        state: 'finished',
        evalLoss: { loss, perplexity: Math.exp(loss), rows: 17 },
      });
    }
    set({ status: 'finished' });
    save();
    return { id, status: 'finished' };
  }

  const unknown = (id: string): Kept => {
    const kept = tests.get(id);
    if (!kept) {
      throw new Error(`no test ${id}`);
    }
    return kept;
  };

  const storage = (): StorageItem[] => [
    ...[...runs.values()].map((run, i): StorageItem => ({
      key: `run/${run.id}`,
      kind: 'run',
      name: run.name,
      bytes: (426 + 40 * i) * MIB,
      parts: [
        { name: 'checkpoints', bytes: (285 + 40 * i) * MIB },
        { name: 'result', bytes: 141 * MIB },
      ],
      deletable: true,
    })),
    ...[...tests].map(([id, { record }]): StorageItem => ({
      key: `test/${id}`,
      kind: 'test',
      name: record.name,
      bytes: 180_000,
      parts: [],
      deletable: true,
    })),
    ...(gone.has('base cache')
      ? []
      : [
          {
            key: 'base cache',
            kind: 'base cache' as const,
            name: 'base',
            bytes: 1090 * MIB,
            parts: [],
            deletable: true,
          },
        ]),
    { key: 'app', kind: 'app files', name: 'Retune', bytes: 5 * MIB, parts: [], deletable: false },
  ];

  return {
    inspectQuestions: ({ file }) =>
      answer(async () => {
        const questions = await parseQuestions(blobSource(file.name, file, 'choose it again'));
        const named = (key: 'topic' | 'difficulty') => [
          ...new Set(questions.map((q) => q[key]).filter(Boolean)),
        ];
        return {
          name: file.name,
          questions: questions.length,
          withExpected: questions.filter((q) => q.answer).length,
          topics: named('topic'),
          difficulties: named('difficulty'),
        };
      }),
    startTest: (inputs, onEvent) =>
      answer(async () => {
        const kept = await newTest(inputs);
        tests.set(kept.record.id, kept);
        save();
        onEvent({ type: 'created', record: kept.record });
        return run(kept, onEvent);
      }),
    resumeTest: (id, _, onEvent) => answer(() => run(unknown(id), onEvent)),
    repeatTest: (id, made, _, onEvent) =>
      answer(async () => {
        const before = unknown(id);
        const last = before.record.versions.length - 1;
        const kept: Kept = {
          record: {
            ...before.record,
            id: crypto.randomUUID(),
            name: `${before.record.questionsFile}: ${before.record.versions[last]!.name}, ${made.name}`,
            created: before.record.created + 1,
            status: 'unfinished',
            versions: [
              before.record.versions[last]!,
              { name: made.name, kind: 'result', run: made.run, state: 'waiting', answered: 0 },
            ],
          },
          questions: before.questions,
          answers: [before.answers[last]!, before.questions.map(() => null)],
          votes: before.questions.map(() => null),
        };
        tests.set(kept.record.id, kept);
        save();
        onEvent({ type: 'created', record: kept.record });
        return run(kept, onEvent);
      }),
    stopTest: async () => void (stopping = true),
    tests: async () =>
      [...tests.values()].map(({ record }) => record).toSorted((a, b) => b.created - a.created),
    test: async (id) => ok(detailOf(unknown(id))),
    renameTest: async (id, name) => {
      const kept = unknown(id);
      kept.record = { ...kept.record, name };
      save();
      return ok(undefined);
    },
    deleteTest: async (id) => {
      tests.delete(id);
      save();
      return ok(undefined);
    },
    compareVersions: async (id, a, b) => {
      const kept = unknown(id);
      const { questions, versions, votes } = detailOf(kept);
      const trained = trainedIn(kept, [kept.record.versions[a]!, kept.record.versions[b]!]);
      const rest = (scores: readonly (Scores | undefined)[]) =>
        scores.map((score, i) => (trained[i] ? undefined : score));
      const [before, after] = [versions[a]!.scores, versions[b]!.scores];
      const leftOut = trained.filter(Boolean).length;
      const count = (vote: Vote) => votes.filter((given) => given === vote).length;
      return ok({
        versions: [a, b],
        ...compareScores(questions, before, after),
        ...(leftOut > 0 && {
          untrained: { headline: compareScores(questions, rest(before), rest(after)).headline, leftOut },
        }),
        votes: { a: count(a), b: count(b), same: count('same') },
      });
    },
    vote: async (id, question, vote) => {
      unknown(id).votes[question] = vote ?? null;
      save();
      return ok(undefined);
    },
    testResults: async (id, version) => {
      const { questions, answers } = unknown(id);
      const results = questions.map((q, i) => ({
        question: q.question,
        model_answer: answers[version]![i]?.text,
      }));
      return ok(new Blob([JSON.stringify({ summary: {}, results })]));
    },
    testCsv: async (id) => {
      const { record, questions, answers } = unknown(id);
      const versions = record.versions.map(({ name }, i) => ({
        name,
        answers: answers[i]!.map((one) => one ?? undefined),
      }));
      return ok(new Blob([comparisonCsv(questions, versions)]));
    },

    runNotes: async () =>
      [...runs.values()].map((record) => notesOf(record, notes.get(record.id) ?? '', [...tests.keys()])),
    renameRun: async (id, name) => {
      runs.set(id, { ...runs.get(id)!, name });
      return ok(undefined);
    },
    annotateRun: async (id, note) => {
      notes.set(id, note);
      return ok(undefined);
    },
    family: async () => familyOf([...runs.values()]),
    takeStep: async (id, step) => {
      runs.set(id, {
        ...runs.get(id)!,
        taken: step === undefined ? undefined : { step, hash: 'f'.repeat(64) },
      });
      return ok(undefined);
    },
    continueFrom: async (id, step) => {
      const { name, inputs } = runs.get(id)!;
      const file = (of: string) => new File([''], of);
      const source = {
        name,
        files: ['adapter_config.json', 'adapter_model.safetensors'].map(file),
        run: id,
        step,
      };
      return ok({ source, base: { name: inputs.base, files: [file('config.json')] } });
    },
    archiveRun: async () => ok(new Blob(['PK'])),
    importRun: (file) =>
      answer(async () => {
        if (!file.name.endsWith('.zip')) {
          throw new Error('the page asks for zips');
        }
        const run = { ...familyRuns()[0]!, id: 'imported', name: 'a run from elsewhere' };
        runs.set(run.id, run);
        return { id: run.id, name: run.name };
      }),

    checkStorage: async () => ok(undefined),
    storage: async () => ({
      items: storage(),
      uncounted: [],
      used: storage().reduce((sum, { bytes }) => sum + bytes, 3 * MIB),
      overhead: 3 * MIB,
      lags: false,
      left: 48 * 1024 * MIB,
      persisted: scenario.persisted,
    }),
    deleteAllStored: async () => {
      runs.clear();
      tests.clear();
      for (const { key } of storage()) {
        gone.add(key);
      }
      save();
      return ok(undefined);
    },
    deleteStored: async (key) => {
      const [kind, id = ''] = key.split('/');
      if (kind === 'run') {
        runs.delete(id);
      } else if (kind === 'test') {
        tests.delete(id);
      } else {
        gone.add(key);
      }
      save();
      return ok(undefined);
    },
  };
}

/** Right in a share of the questions that grows with the version, a little wrong otherwise; one hides something. */
/** The question before whose answer V2 writes its thoughts. */
const THOUGHT_OF = 7;

function made(i: number, name: string, expected: string): ModelAnswer {
  const order = ['Base', 'V1', 'V2', 'V3'].findIndex((v) => name.startsWith(v));
  const right = (i * 7 + 3) % 10 < [1, 4, 8, 9][Math.max(0, order)]! && !(order > 1 && i % 17 === 4);
  const words = expected.split(' ');
  const wrong = words
    .with(Math.min(words.length - 1, 1 + (i % 4)), order > 1 ? 'perhaps' : 'never')
    .join(' ');
  const text =
    i === 2 && order === 1
      ? `<img src=x onerror="document.title='owned'"> ‮${wrong}`
      : right
        ? `${i === THOUGHT_OF && order === 2 ? '<think>\nNot there.\n</think>\n\n' : ''}${expected}`
        : wrong;
  const cut = i % 13 === 5 && !right;
  return {
    text,
    inputTokens: 24,
    outputTokens: text.split(' ').length + 3,
    stopped: cut ? 'length' : 'stop id',
  };
}

async function newTest({ name, base, questions, validation, versions, options }: TestInputs): Promise<Kept> {
  const list = await parseQuestions(blobSource(questions.file.name, questions.file, 'choose it again'));
  const record: TestRecord = {
    id: crypto.randomUUID(),
    name,
    created: Date.now(),
    status: 'unfinished',
    stopped: false,
    base: 'files' in base ? base.name : 'base',
    baseRun: 'files' in base ? undefined : base.run,
    questionsFile: questions.file.name,
    questions: list.length,
    validationFile: validation ? 'val.jsonl' : undefined,
    options,
    form: options.form ?? 'text',
    versions: versions.map(({ name: own, version }) => ({
      name: own,
      kind: version.kind,
      run: 'run' in version ? version.run : undefined,
      step: version.kind === 'checkpoint' ? version.step : undefined,
      folder: version.kind === 'folder' ? version.folder.name : undefined,
      state: 'waiting',
      answered: 0,
    })),
    handles: { folders: {} },
    baseKept: false,
  };
  return emptyOf(record, list);
}

const emptyOf = (record: TestRecord, questions: readonly Question[]): Kept => ({
  record,
  questions,
  answers: record.versions.map(() => questions.map(() => null)),
  votes: questions.map(() => null),
});

function keepFinished(tests: Map<string, Kept>, count: number): void {
  const names = ['V1', 'V2'];
  const questions = Array.from({ length: count }, (_, i) => ({
    question: `Where can fuse ${i + 1} be found, and what does it cost?`,
    answer: `Fuse ${i + 1} can be found in hall ${(i * 7) % 9}, shelf ${(i * 5) % 31}. It costs ${i + 2}.50 euros.`,
    topic: ['fuses of the main hall', 'fuses of the yard', 'prices'][i % 3]!,
    difficulty: ['wording of the rows', 'held-out wording'][i % 2]!,
  }));
  const record: TestRecord = {
    id: 'earlier-test',
    name: 'questions.json: V1, V2',
    created: Date.UTC(2026, 10, 20, 11),
    status: 'finished',
    stopped: false,
    base: 'base',
    baseRun: 'run-v2',
    questionsFile: 'questions.json',
    questions: count,
    validationFile: 'val.jsonl',
    options: {
      form: 'text',
      sampling: { temperature: 0, topP: 1, topK: 0, repetitionPenalty: 1 },
      maxNewTokens: 512,
      seed: 42,
    },
    form: 'text',
    versions: names.map((name, i) => ({
      name,
      kind: i === 0 ? 'source' : 'result',
      run: 'run-v2',
      state: 'finished',
      answered: count,
      evalLoss: { loss: 1.9 - i / 2, perplexity: Math.exp(1.9 - i / 2), rows: 60 },
    })),
    handles: { folders: {} },
    baseKept: false,
  };
  const kept = emptyOf(record, questions);
  kept.answers = names.map((name) => questions.map(({ answer: expected }, i) => made(i, name, expected)));
  tests.set(record.id, kept);
}

/** V2 from V1, V3 from V2, and an interrupted run. */
function familyRuns(): RunRecord[] {
  const run = (id: string, name: string, day: number, more: Partial<RunRecord>): RunRecord => {
    const log = Array.from({ length: 12 }, (_, i) => [
      { step: 5 * i + 5, loss: 0.8 + 1.2 * Math.exp(-i / 4) - day / 60, epoch: i / 6 },
      ...(i % 3 === 2
        ? [{ step: 5 * i + 5, eval_loss: 0.95 + Math.exp(-i / 4) - day / 60, epoch: i / 6 }]
        : []),
    ]).flat();
    return {
      id,
      name,
      created: Date.UTC(2026, 10, day, 9, 30),
      status: 'finished',
      stopped: false,
      restarts: 0,
      step: 60,
      maxSteps: 60,
      recipe: defaultRecipe(),
      inputs: { base: 'base', source: 'v1', train: 'train.jsonl', validation: 'val.jsonl' },
      handles: {},
      checkpoints: [
        { step: 40, bytes: 213 * MIB, loss: 1.12 },
        { step: 60, bytes: 213 * MIB, loss: 0.97 },
      ],
      log,
      ...more,
    };
  };
  const recipe = defaultRecipe();
  return [
    run('run-v3', 'V3 with the prices', 21, { sourceRun: 'run-v2' }),
    run('run-cut', 'half of the prices', 20, {
      ...{ status: 'unfinished', stopped: true, step: 40 },
      recipe: { ...recipe, training: { ...recipe.training, learningRate: 1e-4 } },
    }),
    run('run-v2', 'v1 + train.jsonl', 19, {}),
  ];
}

function familyOf(runs: readonly RunRecord[]): FamilyMember[] {
  if (runs.length === 0) {
    return [];
  }
  const base = 'b45e00'.padEnd(64, '1');
  const v1 = 'ada401'.padEnd(64, '2');
  const ids = new Set(runs.map(({ id }) => id));
  return [
    { key: base, hash: base, kind: 'base', name: 'base', parent: undefined, generation: 0 },
    { key: v1, hash: v1, kind: 'adapter', name: 'v1', parent: base, generation: 1 },
    ...runs
      .toSorted((a, b) => a.created - b.created)
      .map(({ id, name, sourceRun }): FamilyMember => {
        const from = sourceRun !== undefined && ids.has(sourceRun);
        return {
          key: id,
          hash: undefined,
          kind: 'run',
          name,
          run: id,
          parent: from ? sourceRun : v1,
          generation: from ? 3 : 2,
        };
      }),
  ];
}

const notesOf = ({ id, name, created, status }: RunRecord, note: string, tests: string[]): RunNotes => ({
  id,
  name,
  note,
  created,
  imported: id === 'imported',
  hashes: {
    base: 'b45e00'.padEnd(64, '1'),
    source: 'ada401'.padEnd(64, '2'),
    train: '7a1b22'.padEnd(64, '3'),
    validation: 'none',
    result: status === 'finished' ? 'c0ffee'.padEnd(64, '4') : undefined,
  },
  bytes: 567 * MIB,
  parts: ['record', 'result', 'checkpoint 40', 'checkpoint 60', 'conversations'],
  tests,
});
