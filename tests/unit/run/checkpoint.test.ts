import { expect, test } from 'vitest';
import { readCursor, verifyFiles } from '../../../src/run/checkpoint/checkpoint.ts';
import { memoryFolder } from '../../support/memory-folder.ts';

const hash = '0'.repeat(64);
const sound = {
  step: 5,
  files: { 'trainer_state.json': hash },
  identity: { base: hash },
  plan: { version: 4 },
  logWindow: { sum: 1, lastLogged: 0, total: 1 },
  logTimes: [1.5],
  totalFlos: 12,
  prompt: 'text',
};
const read = (text: string) => readCursor(memoryFolder('c', { 'retune_state.json': text }));

test('a cursor is read, also one of an earlier version, which lacked some keys', async () => {
  expect(await read(JSON.stringify(sound))).toEqual(sound);
  const { step, files, identity, plan, logWindow } = sound;
  expect(await read(JSON.stringify({ step, files, identity, plan, logWindow }))).toMatchObject({ step: 5 });
});

test.each([
  ['{', 'is not JSON'],
  ['{"step": 1, "step": 2}', 'is not JSON'],
  ['null', 'does not hold what Retune writes there'],
  ...(
    [
      { step: -1 },
      { step: 1.5 },
      { step: '5' },
      { files: { '../x': hash } },
      { files: { x: 'abc' } },
      { files: { x: 5 } },
      { identity: { base: 5 } },
      { plan: [] },
      { logWindow: { sum: null } },
      { logTimes: ['x'] },
      { totalFlos: 'x' },
      { prompt: 'song' },
      { weightsFrom: 5 },
    ] as object[]
  ).map((change) => [JSON.stringify({ ...sound, ...change }), 'does not hold what Retune writes there']),
])('refuses %.80s', async (text, problem) => {
  await expect(read(text)).rejects.toThrow(
    `c: retune_state.json ${problem}, so this checkpoint is broken; resume from an earlier one, or start again.`,
  );
});

test('a file that is missing, or not as it was, is named', async () => {
  const text = JSON.stringify(sound);
  await expect(verifyFiles(memoryFolder('c', { 'retune_state.json': text }))).rejects.toThrow(
    'c: trainer_state.json is missing, so this checkpoint is broken',
  );
  await expect(
    verifyFiles(memoryFolder('c', { 'retune_state.json': text, 'trainer_state.json': '{' })),
  ).rejects.toThrow('c: trainer_state.json has SHA-256 ');
});
