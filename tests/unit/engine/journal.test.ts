import { expect, it } from 'vitest';
import type { TestAnswer } from '../../../src/comparison/batch-test.ts';
import { TestJournal } from '../../../src/engine/comparison/journal.ts';
import { testCsv, testDetail, versionFile } from '../../../src/engine/comparison/results.ts';
import type { TestEvent } from '../../../src/engine/protocol/comparison.ts';
import { defaultRecipe } from '../../../src/formats/recipe.ts';
import { UserError } from '../../../src/formats/user-error.ts';
import { GREEDY } from '../../../src/generate/sampling.ts';
import type { StoredTest, TestRecords } from '../../../src/storage/test-records.ts';

const test: StoredTest = {
  id: 'a',
  name: 'Test',
  created: new Date(2025, 0, 31, 18, 5, 9).getTime(),
  status: 'unfinished',
  stopped: false,
  base: 'tiny',
  questionsFile: 'questions.json',
  questions: 2,
  validationFile: undefined,
  options: { form: 'text', sampling: GREEDY, maxNewTokens: 4, seed: 1 },
  recipe: defaultRecipe(),
  form: undefined,
  versions: [
    { name: 'base', kind: 'base', state: 'waiting' },
    { name: 'V1', kind: 'folder', folder: 'v1', state: 'waiting' },
  ],
};
const questions = [
  { question: 'Q1', answer: 'x y', topic: 't', difficulty: '' },
  { question: 'Q2', answer: '', topic: 'u', difficulty: '' },
];
const answer = (text: string): TestAnswer => ({ text, inputTokens: 3, outputTokens: 2, stopped: 'length' });

/** Keeps what is written in memory, until the disk is `full`. */
function records() {
  const written: string[] = [];
  const disk = { full: false };
  const write = async (what: string) => {
    await Promise.resolve();
    if (disk.full) {
      throw new UserError('The disk is full.');
    }
    written.push(what);
  };
  const fake = {
    put: ({ versions }: StoredTest) => write(versions.map(({ state }) => state).join()),
    putAnswer: (_: StoredTest, version: number, question: number) => write(`${version}/${question}`),
  };
  return { records: fake as unknown as TestRecords, written, disk };
}

it('tells of an answer once it is kept, and of a version with its last one', async () => {
  const { records: to, written } = records();
  const events: TestEvent[] = [];
  const kept: string[] = [];
  const journal = new TestJournal(to, test, [new Map([[0, answer('x')]])], (event) => events.push(event));
  expect(journal.answered).toBe(1);
  journal.answer(1, 1, answer('a'), () => kept.push(written.join(' ')));
  journal.answer(0, 1, answer('b'), () => kept.push(written.join(' ')));
  expect(kept).toEqual([]);
  await journal.settled();
  expect(kept).toEqual(['1/1', '1/1 0/1']);
  expect(written).toEqual(['1/1', '0/1', 'finished,waiting']);
  expect(events).toEqual([
    {
      type: 'version',
      version: 0,
      record: expect.objectContaining({ name: 'base', state: 'finished', answered: 2 }) as unknown,
    },
  ]);
});

it('ends the test where an answer cannot be kept', async () => {
  const { records: to, disk } = records();
  const journal = new TestJournal(to, test, [], () => undefined);
  disk.full = true;
  let told = false;
  journal.answer(0, 0, answer('a'), () => (told = true));
  journal.change({ stopped: true });
  await expect(journal.settled()).rejects.toThrow('The disk is full.');
  expect(journal.failed.aborted).toBe(true);
  expect(told).toBe(false);
});

it('shows a test that is half done', () => {
  const answers = [undefined, new Map([[1, answer('free')]])];
  const detail = testDetail(test, questions, answers, { 1: 1 });
  expect(detail.record.versions.map(({ answered }) => answered)).toEqual([0, 1]);
  expect(detail.votes).toEqual([undefined, 1]);
  expect(detail.versions[0]!.summary).toMatchObject({ questions: 0, scored: 0, exactRate: undefined });
  expect(detail.versions[1]!.summary).toMatchObject({ questions: 1, scored: 0, cut: 1 });
  expect(detail.versions[1]!.topics.map(({ name, summary }) => [name, summary.questions])).toEqual([
    ['t', 0],
    ['u', 1],
  ]);
  const file = versionFile(test, questions, answers[1], 1);
  expect(file.summary).toMatchObject({
    test_date: '2025-01-31 18:05:09',
    model_path: 'v1',
    total_questions: 1,
    total_tokens: 5,
  });
  expect(file.results).toMatchObject([{ question_id: 2, question: 'Q2', model_answer: 'free' }]);
  expect(testCsv(test, questions, answers, { 0: 'same', 1: 1 }).split('\r\n').slice(1, 3)).toEqual([
    `1,t,,Q1,x y${','.repeat(14)},same,`,
    `2,u,,Q2,${','.repeat(7)},free,,,,3,2,length,V1,`,
  ]);
  const corrected = { question: 'Q2', was: '', answer: 'z', version: 'V1', changed: 0 };
  const [head, , second] = testCsv(test, questions, answers, {}, [[corrected], [corrected]]).split('\r\n');
  expect(head).toMatch(/,vote,trained on$/);
  expect(second).toMatch(/,length,,base; V1$/);
});
