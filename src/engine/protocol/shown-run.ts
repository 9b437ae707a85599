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
  'sourceLineage',
  'best',
  'baseline',
  'samples',
] as const satisfies readonly (keyof StoredRun)[];
