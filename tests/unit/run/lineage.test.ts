import { describe, expect, it } from 'vitest';
import { type FamilyRun, familyTree } from '../../../src/run/lineage.ts';

const run = (id: string, created: number, more: Partial<FamilyRun> & { source: string }): FamilyRun => ({
  id,
  name: `name of ${id}`,
  created,
  inputs: { base: 'tiny', source: more.source === 'none' ? undefined : 'v1' },
  identity: { base: 'B', source: more.source },
  resultHash: undefined,
  ...more,
});
const shown = (runs: FamilyRun[]) =>
  familyTree(runs).map(({ key, parent, generation }) => [key, parent, generation]);

describe('familyTree', () => {
  it('links V3 to V2 to V1 to the base, whatever the order of the list', () => {
    const v2 = run('second', 10, { source: 'h1', resultHash: 'h2' });
    const v3 = run('third', 20, { source: 'h2', resultHash: undefined });
    const expected = [
      ['base/B', undefined, 0],
      ['adapter/B/h1', 'base/B', 1],
      ['run/second', 'adapter/B/h1', 2],
      ['run/third', 'run/second', 3],
    ];
    expect(shown([v2, v3])).toEqual(expected);
    expect(shown([v3, v2])).toEqual(expected);
    expect(familyTree([v3, v2])[2]).toMatchObject({ name: 'name of second', hash: 'h2', run: 'second' });
  });

  it('begins a fresh adapter at the base, and links a checkpoint by what its run recorded', () => {
    const fresh = run('a', 1, { source: 'none', resultHash: 'ha' });
    const onward = run('b', 2, { source: 'of a checkpoint', sourceRun: 'a' });
    expect(shown([fresh, onward])).toEqual([
      ['base/B', undefined, 0],
      ['run/a', 'base/B', 1],
      ['run/b', 'run/a', 2],
    ]);
    // Where that run was deleted, the adapter comes from elsewhere.
    expect(shown([onward])).toEqual([
      ['base/B', undefined, 0],
      ['adapter/B/of a checkpoint', 'base/B', 1],
      ['run/b', 'adapter/B/of a checkpoint', 2],
    ]);
  });

  it('places an adapter from elsewhere by its card: after a run here, an adapter here, or an unknown one', () => {
    const v2 = run('v2', 1, { source: 'h1', resultHash: 'h2' });
    const cluster = (id: string, created: number, source: string, from: string) =>
      run(id, created, { source, sourceLineage: { base: 'B', source: from } });
    expect(
      shown([v2, cluster('a', 2, 'c1', 'h2'), cluster('b', 3, 'c2', 'h1'), cluster('c', 4, 'c3', 'h9')]),
    ).toEqual([
      ['base/B', undefined, 0],
      ['adapter/B/h1', 'base/B', 1],
      ['run/v2', 'adapter/B/h1', 2],
      ['adapter/B/c1', 'run/v2', 3],
      ['adapter/B/c2', 'adapter/B/h1', 2],
      ['adapter/B/h9', 'base/B', 1],
      ['adapter/B/c3', 'adapter/B/h9', 2],
      ['run/a', 'adapter/B/c1', 4],
      ['run/b', 'adapter/B/c2', 3],
      ['run/c', 'adapter/B/c3', 3],
    ]);
  });

  it('places the export of a step that was taken as a run’s result after that run', () => {
    const v2 = run('v2', 1, { source: 'h1', resultHash: 'h2', takenHash: 'h2 step 6' });
    expect(shown([v2, run('v3', 2, { source: 'h2 step 6' })]).at(-1)).toEqual(['run/v3', 'run/v2', 3]);
  });

  it.each([
    ['of another base', { base: 'C', source: 'h1' }],
    ['that names itself', { base: 'B', source: 'h2' }],
    ['of a fresh adapter', { base: 'B', source: 'none' }],
  ])('a card %s leads to the base', (_, sourceLineage) => {
    expect(shown([run('a', 1, { source: 'h2', sourceLineage })])).toEqual([
      ['base/B', undefined, 0],
      ['adapter/B/h2', 'base/B', 1],
      ['run/a', 'adapter/B/h2', 2],
    ]);
  });

  it('keeps families of different bases apart, and a run that changed nothing from being its own parent', () => {
    const other = { base: 'C', source: 'h1' };
    const same = run('same', 1, { source: 'h1', resultHash: 'h1' });
    const child = run('child', 2, { source: 'h1', resultHash: 'h3' });
    const stranger = { ...run('stranger', 3, { source: 'h1' }), identity: other };
    expect(shown([same, child, stranger])).toEqual([
      ['base/B', undefined, 0],
      ['base/C', undefined, 0],
      ['adapter/B/h1', 'base/B', 1],
      ['adapter/C/h1', 'base/C', 1],
      ['run/same', 'adapter/B/h1', 2],
      ['run/child', 'run/same', 3],
      ['run/stranger', 'adapter/C/h1', 2],
    ]);
  });
});
