import { expect, it } from 'vitest';
import { chosenVersions, emptyDraft, named, testCandidates } from '../../../src/app/comparison/test-draft.ts';
import type { TreeNode } from '../../../src/app/elements/family-tree.ts';
import { familyTrees } from '../../../src/app/runs/family.ts';
import type { FamilyMember } from '../../../src/engine/protocol/comparison.ts';
import type { RunRecord } from '../../../src/engine/protocol/protocol.ts';

const member = (
  key: string,
  kind: FamilyMember['kind'],
  generation: number,
  parent?: string,
): FamilyMember => ({
  key,
  kind,
  name: key,
  hash: kind === 'run' ? undefined : `${key}-hash-of-many-digits`,
  run: kind === 'run' ? key : undefined,
  parent,
  generation,
});
const run = (id: string, created: number, more: Partial<RunRecord> = {}): RunRecord =>
  ({
    id,
    name: id,
    created,
    status: 'finished',
    step: 9,
    maxSteps: 9,
    inputs: { base: 'base', source: 'v1', train: 't', validation: undefined },
    handles: {},
    checkpoints: [
      { step: 5, bytes: 1, loss: 1 },
      { step: 9, bytes: 1, loss: 1 },
    ],
    log: [],
    ...more,
  }) as unknown as RunRecord;

const family = [
  member('base', 'base', 0),
  member('v1', 'adapter', 1, 'base'),
  member('two', 'run', 2, 'v1'),
  member('three', 'run', 3, 'two'),
];
const runs = [run('three', 2, { sourceRun: 'two' }), run('two', 1)];
const outline = (nodes: readonly TreeNode[]): string =>
  nodes.map(({ badge, name, children }) => `${badge} ${name}(${outline(children)})`).join(',');

it('puts everyone under what it was trained from', () => {
  const trees = familyTrees(family, runs);
  expect(outline(trees)).toBe('Base base(V1 v1(V2 two(V3 three())))');
  expect(trees[0]!.detail).toBe('base model · base-has');
  expect(trees[0]!.choosable).toBe(false);
});

it('shows who lost a parent at the top, and ends where hashes go round in a circle', () => {
  expect(outline(familyTrees([member('two', 'run', 2, 'gone')], runs))).toBe('V2 two()');
  const circle = [member('two', 'run', 2, 'three'), member('three', 'run', 3, 'two')];
  expect(outline(familyTrees(circle, runs))).toBe('V2 two(V3 three())');
});

it('offers each version once, oldest run first, and takes the latest two', () => {
  const all = testCandidates(runs, family, []);
  expect(all.map(({ name, group }) => `${name}/${group}`)).toEqual([
    'Base/Base model',
    'V1/two',
    'V2/two',
    'V2 step 5/two',
    'V3/three',
    'V3 step 5/three',
  ]);
  expect(chosenVersions(emptyDraft, all, runs).map(({ name }) => name)).toEqual(['V2', 'V3']);
  const first = testCandidates([run('two', 1)], family, []);
  expect(chosenVersions(emptyDraft, first, [run('two', 1)]).map(({ name }) => name)).toEqual(['V1', 'V2']);
});

it('takes what was taken as a run’s result, which stands before it', () => {
  const taken = { step: 5, hash: 'h' };
  const [three, two] = runs;
  const all = testCandidates([three!, { ...two!, taken }], family, []);
  expect(all.filter(({ group }) => group === 'two').map(({ name, detail }) => `${name}: ${detail}`)).toEqual([
    'V1: v1',
    'V2 step 5: taken as V2',
    'V2: what the run made',
  ]);
  const names = (of: RunRecord[]) =>
    chosenVersions(emptyDraft, testCandidates(of, family, []), of).map(({ name }) => name);
  expect(names([{ ...two!, taken, status: 'unfinished' }])).toEqual(['V1', 'V2 step 5']);
  expect(names([{ ...three!, sourceStep: 5, taken }, two!])).toEqual(['V2 step 5', 'V3 step 5']);
});

it('tells versions of the same name apart', () => {
  const folder = (name: string) => ({ name, files: [] });
  const all = testCandidates([], [], [folder('a/v2'), folder('b/v2'), folder('c/v3')]);
  const chosen = chosenVersions({ ...emptyDraft, versions: all.slice(1).map(({ key }) => key) }, all, []);
  expect(named(chosen).map(({ name }) => name)).toEqual(['v2 (a/v2)', 'v2 (b/v2)', 'v3']);
});
