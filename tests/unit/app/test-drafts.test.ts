import { expect, it } from 'vitest';
import { emptyDraft } from '../../../src/app/comparison/test-draft.ts';
import { TestDrafts } from '../../../src/app/comparison/test-drafts.ts';
import type { TestsState } from '../../../src/app/comparison/tests.ts';
import { Store } from '../../../src/app/shared/store.ts';
import type { QuestionsFacts } from '../../../src/engine/protocol/comparison.ts';
import type { Answer, ChosenFile, EngineApi } from '../../../src/engine/protocol/protocol.ts';

type Inspected = Answer<QuestionsFacts>;

/** Drafts over an engine whose answers about files the test gives, in any order. */
function drafts() {
  const store = new Store<TestsState>({ draft: emptyDraft, pair: [0, 1], again: {}, records: [] });
  const answers = new Map<string, (answer: Inspected) => void>();
  const inspectQuestions = ({ file }: ChosenFile) =>
    new Promise<Inspected>((resolve) => answers.set(file.name, resolve));
  return { store, answers, drafts: new TestDrafts({ inspectQuestions } as EngineApi, store) };
}

const file = (name: string): ChosenFile => ({ file: new File([], name) });
const sentence = (name: string): Inspected => ({ ok: false, sentence: name });

it('shows what was found in the questions that were chosen last, whichever answer comes last', async () => {
  const { store, answers, drafts: draft } = drafts();
  const [first, second] = [file('first.json'), file('second.json')];
  const both = [draft.chooseQuestions(first), draft.chooseQuestions(second)];
  expect(store.state.draft.questions).toEqual({ chosen: second, reading: true });
  answers.get('second.json')!(sentence('second'));
  answers.get('first.json')!(sentence('first'));
  await Promise.all(both);
  expect(store.state.draft.questions).toEqual({ chosen: second, reading: false, answer: sentence('second') });
  const third = draft.chooseQuestions(file('third.json'));
  await draft.chooseQuestions(undefined);
  answers.get('third.json')!(sentence('third'));
  await third;
  expect(store.state.draft.questions).toEqual({ chosen: undefined, reading: false });
});

it('ticks a folder that is added beside what was ticked', () => {
  const { store, drafts: draft } = drafts();
  const folders = ['v5', 'v6'].map((name) => ({ name, files: [] }));
  draft.change({ greedy: false });
  draft.addFolder(folders[0]!, ['base']);
  draft.addFolder(folders[1]!, ['base', 'folder/0']);
  expect(store.state.draft).toEqual({
    ...emptyDraft,
    greedy: false,
    folders,
    versions: ['base', 'folder/0', 'folder/1'],
  });
});
