import type { StorageAccount, TestRecord } from '../engine/protocol/comparison.ts';
import type { RunRecord } from '../engine/protocol/protocol.ts';
import { visibleText } from '../formats/visible-text.ts';
import type { RunningTest } from './comparison/test-events.ts';
import { tenths } from './shared/tenths.ts';

/** What the page follows, as far as its changes are told. */
export interface Heard {
  runs: readonly Pick<RunRecord, 'id' | 'name'>[];
  tests: readonly Pick<TestRecord, 'id' | 'name' | 'status' | 'versions'>[];
  testing: Pick<RunningTest, 'id' | 'name' | 'stopping' | 'progress'> | undefined;
  work: Work;
  storage: {
    account?: Pick<StorageAccount, 'items'> | undefined;
    deleting?: string | undefined;
    refusal?: string | undefined;
  };
}

interface Work {
  busy?: 'packing' | 'importing' | 'continuing' | 'handing over' | undefined;
  /** Such as "34%". */
  share?: string | undefined;
}

const WORK = {
  packing: 'Packing the run',
  importing: 'Importing',
  continuing: 'Looking for the files',
  'handing over': 'Writing the hand-over',
} as const;

/** Of a test under way, every tenth. */
export function testSaid(testing: Heard['testing']): string {
  if (!testing) {
    return '';
  }
  const { stopping, progress } = testing;
  const done = progress ? `, ${tenths(progress.answered, progress.total)} of the answers are there` : '';
  return `${stopping ? 'Stopping the test' : 'Testing'}${done}.`;
}

/** Of an export or import, every tenth. */
export function workSaid({ busy, share }: Work): string {
  if (!busy) {
    return '';
  }
  return `${WORK[busy]}${share === undefined ? '' : `, ${tenths(Number.parseFloat(share), 100)} done`}.`;
}

/** What has ended, or was deleted; undefined for nothing. */
export function changesSaid(before: Heard, now: Heard): string | undefined {
  if (before.testing && !now.testing) {
    const test = now.tests.find(({ id }) => id === before.testing!.id);
    const answers = test?.versions.reduce((sum, { answered }) => sum + answered, 0) ?? 0;
    return test?.status === 'finished'
      ? `The test ${visibleText(test.name)} has finished.`
      : `The test has stopped; ${answers} answers are saved.`;
  }
  if (before.work.busy && before.work.busy !== 'continuing' && !now.work.busy) {
    return `${WORK[before.work.busy]} has ended.`;
  }
  const { deleting } = before.storage;
  if (deleting !== undefined && now.storage.deleting === undefined && now.storage.refusal === undefined) {
    const name = before.storage.account?.items.find(({ key }) => key === deleting)?.name;
    return name === undefined ? undefined : `${visibleText(name)} is deleted.`;
  }
  const gone = missing(before.runs, now.runs) ?? missing(before.tests, now.tests);
  return gone && `${visibleText(gone.name)} is deleted.`;
}

/** What was there and is not any more. */
const missing = <T extends { id: string }>(before: readonly T[], now: readonly T[]): T | undefined =>
  before.find(({ id }) => !now.some((one) => one.id === id));
