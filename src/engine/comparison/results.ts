import type { TestAnswer } from '../../comparison/batch-test.ts';
import { comparisonCsv } from '../../comparison/csv.ts';
import { compareScores } from '../../comparison/headline.ts';
import type { Question } from '../../comparison/questions.ts';
import { type BatchTestFile, batchTestFile, generationSettings } from '../../comparison/results.ts';
import { scoreIfAnswered, type Scores, summarize, summarizeBy } from '../../comparison/scores.ts';
import type { Correction } from '../../corrections/correction.ts';
import { trainedQuestions } from '../../corrections/trained-on.ts';
import type { StoredTest, StoredVersion, Votes } from '../../storage/test-records.ts';
import type {
  TestComparison,
  TestDetail,
  TestedVersion,
  TestHandles,
  TestRecord,
  VersionResults,
} from '../protocol/comparison.ts';

type Answers = ReadonlyMap<number, TestAnswer> | undefined;

export function testedVersion(stored: StoredVersion, answered: number): TestedVersion {
  const { name, kind, run, step, folder, hash, state, sentence, evalLoss } = stored;
  return { name, kind, run, step, folder, hash, state, sentence, evalLoss, answered };
}

/** `answered`: how many answers each version has. `baseKept`: the browser holds its base itself. */
export function testRecord(
  test: StoredTest,
  answered: readonly (number | undefined)[],
  baseKept = false,
): TestRecord {
  const { id, name, created, status, stopped, base, baseRun, questionsFile, questions } = test;
  const { validationFile, options, form, versions } = test;
  return {
    ...{ id, name, created, status, stopped, base, baseRun, questionsFile, questions },
    ...{ validationFile, options, form },
    versions: versions.map((version, i) => testedVersion(version, answered[i] ?? 0)),
    handles: handlesOf(test),
    baseKept,
  };
}

function handlesOf({ baseHandle, validationHandle, versions }: StoredTest): TestHandles {
  const folders = versions.flatMap(({ handle }, i) => (handle ? [[i, handle] as const] : []));
  return { base: baseHandle, validation: validationHandle, folders: Object.fromEntries(folders) };
}

export function testDetail(
  test: StoredTest,
  questions: readonly Question[],
  answers: readonly Answers[],
  votes: Votes,
  corrections: readonly (readonly Correction[])[] = [],
  baseKept = false,
): TestDetail {
  const trained = trainedQuestions(questions, corrections);
  return {
    record: testRecord(
      test,
      test.versions.map((_, i) => answers[i]?.size),
      baseKept,
    ),
    questions,
    versions: test.versions.map((_, i) => versionResults(questions, answers[i], trained)),
    votes: questions.map((_, i) => votes[i]),
    trained,
  };
}

function versionResults(
  questions: readonly Question[],
  answers: Answers,
  trained: readonly unknown[],
): VersionResults {
  const listed = questions.map((_, i) => answers?.get(i));
  const scores = scoresOf(questions, answers);
  const scored = listed.map(
    (answer, i) =>
      answer && {
        outputTokens: answer.outputTokens,
        cut: answer.stopped === 'length',
        scores: scores[i],
      },
  );
  return {
    answers: listed,
    scores,
    summary: summarize(scored.filter((answer) => answer !== undefined)),
    ...(trained.some(Boolean) && {
      untrained: summarize(scored.flatMap((answer, i) => (answer && !trained[i] ? [answer] : []))),
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
}

function scoresOf(questions: readonly Question[], answers: Answers): (Scores | undefined)[] {
  return questions.map(({ answer: expected }, i) => {
    const answer = answers?.get(i);
    return answer && scoreIfAnswered(answer, expected);
  });
}

/** The second version against the first. */
export function testComparison(
  questions: readonly Question[],
  answers: readonly Answers[],
  [a, b]: readonly [a: number, b: number],
  votes: Votes,
  corrections: readonly (readonly Correction[])[] = [],
): TestComparison {
  const count = (vote: number | 'same') => Object.values(votes).filter((v) => v === vote).length;
  const [before, after] = [scoresOf(questions, answers[a]), scoresOf(questions, answers[b])];
  const trained = trainedQuestions(questions, [corrections[a] ?? [], corrections[b] ?? []]);
  const leftOut = trained.filter(Boolean).length;
  const rest = (scores: readonly (Scores | undefined)[]) =>
    scores.map((score, i) => (trained[i] ? undefined : score));
  return {
    versions: [a, b],
    ...compareScores(questions, before, after),
    ...(leftOut > 0 && {
      untrained: { headline: compareScores(questions, rest(before), rest(after)).headline, leftOut },
    }),
    votes: { a: count(a), b: count(b), same: count('same') },
  };
}

/** The recipe's result file of a version, with the questions that it has answered. */
export function versionFile(
  test: StoredTest,
  questions: readonly Question[],
  answers: Answers,
  version: number,
): BatchTestFile {
  const { options, form, date, created } = test;
  const answered = questions.flatMap((_, i) => (answers?.has(i) ? [i] : []));
  const file = batchTestFile(
    answered.map((i) => questions[i]!),
    answered.map((i) => answers!.get(i)!),
    {
      testDate: localTime(new Date(created)),
      modelPath: pathOf(test, version),
      generation: generationSettings(
        form ?? options.form ?? 'text',
        options.maxNewTokens,
        options.sampling,
        options.seed,
        date,
      ),
    },
  );
  const results = file.results.map((result, i) => ({ ...result, question_id: answered[i]! + 1 }));
  return { ...file, results };
}

function pathOf({ base, versions }: StoredTest, index: number): string {
  const { kind, folder, name } = versions[index]!;
  return kind === 'base' ? base : (folder ?? name);
}

export function testCsv(
  test: StoredTest,
  questions: readonly Question[],
  answers: readonly Answers[],
  votes: Votes,
  corrections: readonly (readonly Correction[])[] = [],
): string {
  const names = test.versions.map(({ name }) => name);
  const columns = names.map((name, i) => ({ name, answers: questions.map((_, q) => answers[i]?.get(q)) }));
  const voted = (vote: Votes[number] | undefined) => (typeof vote === 'number' ? names[vote] : vote);
  return comparisonCsv(
    questions,
    columns,
    questions.map((_, i) => voted(votes[i])),
    trainedQuestions(questions, corrections).map((one) => (one?.versions ?? []).map((i) => names[i]!)),
  );
}

/** "2025-01-31 18:05:09". */
function localTime(date: Date): string {
  const two = (n: number) => String(n).padStart(2, '0');
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()].map(two).join('-');
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`;
}
