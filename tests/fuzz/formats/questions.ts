import { parseQuestions } from '../../../src/comparison/questions.ts';
import { source } from '../../support/memory-folder.ts';
import { CASES, fixture } from '../fixtures.ts';
import { bytesOf, expectSame, type Format, INPUT, textOf } from '../format.ts';
import { linesOf, listOf, mutateRows } from './rows.ts';

const FILE = 'questions.json';
const WORDS = [
  '{"question":"x"}',
  '{"question":1}',
  '1',
  '"1"',
  '1.0',
  '{"id":1}',
  '[]',
  JSON.stringify('q'.repeat(100_001)),
  '"id"',
  '"question_id"',
];

const entriesOf = (bytes: Uint8Array): string[] =>
  (JSON.parse(textOf(bytes)) as object[]).map((entry) => JSON.stringify(entry));

/** A list of questions, as lines or as a list. */
export const questions: Format = {
  name: 'questions',
  seeds: () =>
    CASES.flatMap((name) => {
      const bytes = fixture(`cases/${name}/questions.json`);
      return [{ [FILE]: bytes }, { [FILE]: linesOf(entriesOf(bytes)) }];
    }),
  mutate(random) {
    const entries = entriesOf(fixture(`cases/${random.pick(CASES)}/questions.json`));
    const withIds = entries.map((entry, i) => JSON.stringify({ id: i, ...(JSON.parse(entry) as object) }));
    return { [FILE]: mutateRows(random, random.pick([entries, withIds]), WORDS) };
  },
  async read(files) {
    const read = await parseQuestions(source(`${INPUT}/${FILE}`, files[FILE]!));
    for (const file of [
      linesOf,
      listOf,
      (texts: readonly string[]) =>
        bytesOf(
          JSON.stringify(
            texts.map((text) => JSON.parse(text) as unknown),
            null,
            2,
          ),
        ),
    ]) {
      expectSame(
        await parseQuestions(source(FILE, file(read.map((entry) => JSON.stringify(entry))))),
        read,
        'written and read again',
      );
    }
  },
};
