import type { Question } from '../../comparison/questions.ts';
import type { Correction } from '../../corrections/correction.ts';
import { trainedQuestions } from '../../corrections/trained-on.ts';
import type { StoredTest } from '../../storage/test-records.ts';

/** A run's result, or what was taken as that, as a version of a test. */
export interface MadeVersion {
  run: string;
  name: string;
  step?: number | undefined;
}

/**
 * A test again, of two versions: the one of `before` that the run continued (a run's result, or its checkpoint of
 * `step`), or else its last, and what the run made. `kept` is the first one's index in `before`.
 */
export function repeated(
  before: StoredTest,
  source: { run: string | undefined; step?: number | undefined },
  { run, name, step }: MadeVersion,
): { test: StoredTest; kept: number } {
  const { versions, questionsFile } = before;
  const at = versions.findLastIndex(
    (version) => version.kind !== 'source' && version.run === source.run && version.step === source.step,
  );
  const kept = at < 0 ? versions.length - 1 : at;
  const first = versions[kept]!;
  const test: StoredTest = {
    ...before,
    id: crypto.randomUUID(),
    name: `${questionsFile}: ${first.name}, ${name}`,
    created: Date.now(),
    status: 'unfinished',
    stopped: false,
    versions: [
      first,
      step === undefined
        ? { name, kind: 'result', run, state: 'waiting' }
        : { name, kind: 'checkpoint', run, step, state: 'waiting' },
    ],
  };
  return { test, kept };
}

/** Questions without an expected answer expect what they were corrected to. */
export function expectingCorrections(
  questions: readonly Question[],
  corrections: readonly Correction[],
): readonly Question[] {
  const trained = trainedQuestions(questions, [corrections]);
  return questions.map((question, i) =>
    question.answer.trim() === '' && trained[i] ? { ...question, answer: trained[i].answer } : question,
  );
}
