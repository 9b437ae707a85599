import { UserError } from '../../formats/user-error.ts';
import { answer } from '../answer.ts';
import type { TestApi, TestDetail } from '../protocol/comparison.ts';
import { testComparison, testCsv, testDetail, testRecord, versionFile } from './results.ts';
import type { BatchTests } from './tests.ts';

type Answered =
  | 'startTest'
  | 'resumeTest'
  | 'repeatTest'
  | 'stopTest'
  | 'tests'
  | 'test'
  | 'renameTest'
  | 'compareVersions'
  | 'vote'
  | 'testResults'
  | 'testCsv';

/** The part of the protocol that is about tests; `free` makes others release the device. */
export function testsApi(tests: BatchTests, free: () => Promise<void>): Pick<TestApi, Answered> {
  const { records } = tests;
  const everything = async (id: string) => ({
    test: await tests.record(id),
    questions: await records.questions(id),
    answers: await records.answers(id),
    votes: await records.votes(id),
  });
  return {
    startTest: (inputs, onEvent) =>
      answer(async () => {
        await free();
        return tests.start(inputs, onEvent);
      }),
    resumeTest: (id, files, onEvent) =>
      answer(async () => {
        await free();
        return tests.resume(id, files, onEvent);
      }),
    repeatTest: (id, made, files, onEvent) =>
      answer(async () => {
        await free();
        return tests.repeat(id, made, files, onEvent);
      }),
    stopTest: async () => tests.stop(),
    tests: async () => {
      const list = await records.list();
      return Promise.all(
        list.map(async (test) =>
          testRecord(test, await records.answered(test.id), await tests.keepsBase(test)),
        ),
      );
    },
    test: (id) =>
      answer(async (): Promise<TestDetail> => {
        const { test, questions, answers, votes } = await everything(id);
        const corrections = await tests.trainedOn(test);
        return testDetail(test, questions, answers, votes, corrections, await tests.keepsBase(test));
      }),
    renameTest: (id, name) => answer(() => tests.rename(id, name)),
    compareVersions: (id, a, b) =>
      answer(async () => {
        const { test, questions, answers, votes } = await everything(id);
        return testComparison(questions, answers, [a, b], votes, await tests.trainedOn(test));
      }),
    vote: (id, question, vote) =>
      answer(async () => {
        await tests.record(id);
        await records.vote(id, question, vote);
        return undefined;
      }),
    testResults: (id, version) =>
      answer(async () => {
        const { test, questions, answers } = await everything(id);
        if (!answers[version]?.size) {
          throw new UserError(
            `${test.versions[version]?.name ?? 'This version'}: it has not answered any question yet; continue the test.`,
          );
        }
        const file = versionFile(test, questions, answers[version], version);
        return new Blob([`${JSON.stringify(file, null, 2)}\n`], { type: 'application/json' });
      }),
    testCsv: (id) =>
      answer(async () => {
        const { test, questions, answers, votes } = await everything(id);
        const csv = testCsv(test, questions, answers, votes, await tests.trainedOn(test));
        return new Blob([csv], { type: 'text/csv' });
      }),
  };
}
