import { expect, test } from 'vitest';
import { parseJson } from '../../../src/formats/json.ts';
import { parseTrainerState, writeTrainerState } from '../../../src/formats/trainer-state.ts';
import { fixtureBytes } from '../../support/memory-folder.ts';

const FIXTURE = new TextDecoder().decode(fixtureBytes('formats/trainer_state.json'));
const parse = (text: string) => parseTrainerState(parseJson(text), 'trainer_state.json');

test('transformers’ own file comes back byte for byte', () => {
  const state = parse(FIXTURE);
  expect(state).toMatchObject({ global_step: 6, epoch: 2, max_steps: 6, best_metric: null });
  expect(state.log_history[1]).toMatchObject({ step: 3, epoch: 1, eval_loss: expect.any(Number) as number });
  expect(writeTrainerState(state)).toBe(FIXTURE);
});

test('whole numbers stay floats for Python, and an unfinished run does not stop', () => {
  const text = writeTrainerState({
    ...parse(FIXTURE),
    global_step: 3,
    best_metric: 2,
    best_global_step: 3,
    best_model_checkpoint: 'out/checkpoint-3',
    log_history: [{ step: 3, epoch: 1, loss: 2, learning_rate: 0, grad_norm: 1e-7 }],
  });
  for (const line of [
    '"loss": 2.0',
    '"learning_rate": 0.0',
    '"grad_norm": 1e-07',
    '"epoch": 1.0',
    '"step": 3\n',
  ]) {
    expect(text).toContain(line);
  }
  expect(text).toContain('"best_metric": 2.0');
  expect(text).toContain('"best_model_checkpoint": "out/checkpoint-3"');
  expect(text).toContain('"should_training_stop": false');
});

test.each([
  ['"global_step": 6', '"global_step": -1', 'global_step is -1, expected a whole number at least 0'],
  ['"max_steps": 6,', '', 'max_steps is missing'],
  ['"eval_steps": 3', '"eval_steps": 0', 'eval_steps is 0, expected a whole number at least 1'],
  [
    '"best_model_checkpoint": null',
    '"best_model_checkpoint": 5',
    'best_model_checkpoint is 5, expected text',
  ],
  ['"epoch": 0.8', '"epoch": "x"', 'log_history[0].epoch is "x", expected a number'],
])('refuses %s → %s', (from, to, sentence) => {
  const changed = FIXTURE.replace(from, to);
  expect(changed).not.toBe(FIXTURE);
  expect(() => parse(changed)).toThrow(`trainer_state.json: ${sentence}`);
});
