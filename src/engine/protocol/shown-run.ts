import type { StoredRun } from '../../storage/run-records.ts';

/** What the page is shown of a run's record as it is kept. */
export const SHOWN = [
  'id',
  'name',
  'created',
  'status',
  'stopped',
  'step',
  'maxSteps',
  'recipe',
  'inputs',
  'handles',
  'sourceRun',
  'best',
] as const satisfies readonly (keyof StoredRun)[];
