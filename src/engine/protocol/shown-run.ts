import type { StoredRun } from '../../storage/run-records.ts';

/** The fields of a stored run that are passed to the page. */
export const SHOWN = [
  'id',
  'name',
  'created',
  'status',
  'stopped',
  'paused',
  'step',
  'maxSteps',
  'recipe',
  'inputs',
  'handles',
  'changes',
  'sourceRun',
  'sourceStep',
  'sourceLineage',
  'best',
  'baseline',
  'samples',
  'taken',
] as const satisfies readonly (keyof StoredRun)[];
