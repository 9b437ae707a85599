import { compareResults, resultsCsv } from '../../../src/comparison/compare-files.ts';
import { batchTestFile, type ReadResults, readResults } from '../../../src/comparison/results.ts';
import { source } from '../../support/memory-folder.ts';
import { bytesOf, expectSame, expectTrue, type Files, type Format, INPUT } from '../format.ts';
import { mutateJson } from '../mutate/json.ts';

const FILE = 'v2.json';
const WORDS = [
  '"stop id"',
  '"length"',
  '"no room"',
  '{"input_tokens":1,"output_tokens":1,"total_tokens":2}',
  '1e308',
  '"a b c"',
  '"=1+1"',
];

/** The result file of a batch test. */
export const results: Format = {
  name: 'results',
  seeds: () => [seed(), old()],
  mutate: (random, files) => ({ [FILE]: mutateJson(random, files[FILE]!, WORDS) }),
  async read(files) {
    const read = await readResults(source(`${INPUT}/${FILE}`, files[FILE]!));
    const again = await readResults(
      source(
        `${INPUT}/${FILE}`,
        bytesOf(JSON.stringify({ summary: { model_path: read.modelPath }, results: read.results })),
      ),
    );
    expectSame(again, read, 'written and read again');
    const { v1, v2, changed } = compareResults(read, again);
    expectTrue(changed.length === 0, `${changed.length} answers differ from themselves`);
    expectSame(v1, v2, 'the totals beside themselves');
    expectTrue(
      Object.values(v1).every(
        (value) => value === undefined || typeof value === 'string' || Number.isFinite(value),
      ),
      JSON.stringify(v1),
    );
    expectTrue(
      resultsCsv(read, again).split('\r\n').length > read.results.length,
      'a line is missing in the table',
    );
  },
};

/** As Retune writes it. */
function seed(): Files {
  const questions = ['Where is pump 7?', 'What about valve 9?', '¿Dónde está rotor 17?', ''].map(
    (question, i) => ({
      question,
      answer: i === 3 ? '' : `The part is in Porto, shelf ${i}.`,
      topic: i % 2 ? 'parts' : '',
      difficulty: 'easy',
    }),
  );
  const answers = questions.map(({ answer }, i) => ({
    text: i === 0 ? answer : `${answer} Or not.`,
    inputTokens: 10 + i,
    outputTokens: i,
    stopped: (['stop id', 'length', 'no room', 'stop id'] as const)[i]!,
  }));
  const generation = {
    prompt_form: 'text',
    max_new_tokens: 64,
    temperature: 0.7,
    top_p: 0.9,
    top_k: 50,
    repetition_penalty: 1,
    seed: 42,
  } as const;
  return {
    [FILE]: bytesOf(
      JSON.stringify(
        batchTestFile(questions, answers, { testDate: '2026-01-01', modelPath: 'v2', generation }),
        null,
        2,
      ),
    ),
  };
}

/** As the recipe's script writes it. */
function old(): Files {
  const entry: Omit<ReadResults['results'][number], 'stop_reason'> = {
    question: 'Where is pump 7?',
    expected_answer: 'In Porto.',
    model_answer: 'In Graz.',
    topic: 'parts',
    difficulty: 'hard',
    token_usage: { input_tokens: 5, output_tokens: 3, total_tokens: 8 },
  };
  return {
    [FILE]: bytesOf(
      JSON.stringify({
        summary: { model_path: 'v2/checkpoint-9' },
        results: [entry, { ...entry, question: 'What?' }],
      }),
    ),
  };
}
