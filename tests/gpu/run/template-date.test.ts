import { expect, it } from 'vitest';
import { readCursor } from '../../../src/run/checkpoint/checkpoint.ts';
import { datedInputs } from '../../support/dated-base.ts';
import { memoryFolder } from '../../support/memory-folder.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { comparable } from '../../support/run-case.ts';
import { runOnSharedDevice as run } from '../../support/shared-device.ts';

const EVENING = '2026-03-07T23:59:58';
const MORNING = '2026-03-08T00:00:03';

it('a run resumed after midnight ends in the bytes of one that was not stopped', async () => {
  const whole = new MemoryStore();
  await run({ inputs: await datedInputs(), store: whole, moment: EVENING });
  const { plan } = await readCursor(memoryFolder('result', whole.result));
  expect(plan.moment).toBe(EVENING);

  const store = new MemoryStore();
  store.saved.set(1, structuredClone(whole.saved.get(1)!));
  const { events } = await run({ inputs: await datedInputs(), store, moment: MORNING });
  expect(events.find((event) => event.type === 'facts')?.facts.resumedStep).toBe(1);
  expect(comparable(store.result)).toEqual(comparable(whole.result));
  expect(new TextDecoder().decode(store.result['README.md'] as Uint8Array)).toContain(
    '| date that the chat template writes | 2026-03-07 23:59:58 |\n',
  );
});
