import { expect, it } from 'vitest';
import { initialState, type Slots } from '../../../src/app/shared/app-state.ts';
import { chosenAgain, handlesBehind, toChoose } from '../../../src/app/training/missing-inputs.ts';
import type { RunRecord } from '../../../src/engine/protocol/protocol.ts';

const handle = {} as FileSystemDirectoryHandle & FileSystemFileHandle;
const inputs = { base: 'base', source: 'v1', train: 'train.jsonl', validation: undefined };
const lacks = ['base', 'source', 'train'] as const;

it.each<[string, Partial<RunRecord>, string[], refused: string[]]>([
  ['nothing of a run that has everything', { lacks: [] }, [], []],
  [
    'everything of a run without handles',
    { lacks },
    ['base', 'source', 'train'],
    ['base', 'source', 'train'],
  ],
  ['only what is not behind a handle', { lacks, handles: { base: handle } }, ['source', 'train'], [...lacks]],
  [
    'no handle of what is in the browser',
    { lacks: ['base'], handles: { train: handle } },
    ['base'],
    ['base'],
  ],
  [
    'not the base of the demo',
    { lacks, inputs: { ...inputs, base: 'demo/base' } },
    ['source', 'train'],
    ['source', 'train'],
  ],
])('asks for %s', (_, record, expected, refused) => {
  const run = { inputs, handles: {}, ...record };
  expect([toChoose(run), toChoose(run, true)]).toEqual([expected, refused]);
});

it('reads only through the handles of what it lacks', () => {
  const base = { name: 'base' } as FileSystemDirectoryHandle;
  const train = { name: 'train.jsonl' } as FileSystemFileHandle;
  expect(handlesBehind({ inputs, handles: { base, train }, lacks: ['train'] })).toEqual([train]);
});

it('takes the files once all of them are chosen and none is wrong', () => {
  const base = { name: 'base', files: [] };
  const train = { file: new File([], 'train.jsonl') };
  const slots: Slots = { ...initialState.slots, base: { chosen: base, reading: false } };
  expect(chosenAgain([], slots)).toEqual({});
  expect(chosenAgain(['base'], slots)).toEqual({ base });
  expect(chosenAgain(['base', 'train'], slots)).toBeUndefined();
  const both = { ...slots, train: { chosen: train, reading: false } };
  expect(chosenAgain(['base', 'train'], both)).toEqual({ base, train });
  const reading = { ...both, train: { chosen: train, reading: true } };
  expect(chosenAgain(['base', 'train'], reading)).toBeUndefined();
  const wrong = { ...both, train: { ...both.train, answer: { ok: false, sentence: 'No.' } as const } };
  expect(chosenAgain(['base', 'train'], wrong)).toBeUndefined();
});
