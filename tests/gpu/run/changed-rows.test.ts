import { expect, it } from 'vitest';
import { readAll } from '../../../src/formats/byte-source.ts';
import type { Recipe } from '../../../src/formats/recipe.ts';
import { editRow, leaveOut, noChanges } from '../../../src/formats/row-changes.ts';
import { sha256 } from '../../../src/formats/sha256.ts';
import { rowLines } from '../../../src/text/row-lines.ts';
import { source } from '../../support/memory-folder.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { caseInputs, comparable } from '../../support/run-case.ts';
import { runOnSharedDevice as run } from '../../support/shared-device.ts';

const short = (r: Recipe): Recipe => ({
  ...r,
  training: { ...r.training, maxLength: 9, maxSteps: 2, saveSteps: 1 },
});

/** The case's inputs, with a row left out and one edited. */
async function changed() {
  const inputs = await caseInputs('batch2', short);
  const [, second] = new TextDecoder().decode(await readAll(inputs.train)).split('\n');
  const changes = editRow(leaveOut(noChanges(await sha256(inputs.train)), [3]), 1, second!);
  return { ...inputs, train: { ...inputs.train, changes } };
}

it('a run on changed rows resumes exactly, and trains what the exported rows train', async () => {
  const inputs = await changed();
  const store = new MemoryStore();
  const stop = new AbortController();
  const first = await run({
    inputs,
    store,
    signal: stop.signal,
    emit: ({ type }) => type === 'checkpoint' && stop.abort(),
  });
  expect(first.status).toBe('stopped');
  expect(first.events.find(({ type }) => type === 'facts')).toMatchObject({
    facts: { changed: { leftOut: 1, edited: 1 } },
  });

  const { train } = inputs;
  const others = [
    { ...train, changes: undefined },
    { ...train, changes: leaveOut(train.changes, [2]) },
  ];
  for (const other of others) {
    await expect(run({ inputs: { ...inputs, train: other }, store })).rejects.toThrow(
      /other inputs: changed the rows left out or edited \(/,
    );
  }
  expect((await run({ inputs, store })).status).toBe('finished');

  let text = '';
  for await (const { json } of rowLines(train)) {
    text += `${json}\n`;
  }
  const exported = new MemoryStore();
  await run({ inputs: { ...inputs, train: source('exported.jsonl', text) }, store: exported });
  const [ofChanges, ofExport] = [comparable(store.result), comparable(exported.result)];
  expect(ofChanges.adapter).toBe(ofExport.adapter);
  expect(ofChanges.state).toEqual(ofExport.state);
  const identity = (result: typeof ofChanges) =>
    (result.cursor as { identity: Record<string, string> }).identity;
  const { changes, train: rows, ...rest } = identity(ofChanges);
  expect(changes).toMatch(/^[0-9a-f]{64}$/);
  expect(identity(ofExport)).toEqual({ ...rest, train: expect.not.stringContaining(rows!) as string });

  const card = new TextDecoder().decode(store.result['README.md'] as Uint8Array);
  expect(card).toContain(
    `| changes over the rows | training data: 1 row left out, 1 edited (SHA-256 ${changes}) |`,
  );
});
