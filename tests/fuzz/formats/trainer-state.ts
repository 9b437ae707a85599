import { parseJson, readJson } from '../../../src/formats/json.ts';
import { parseTrainerState, writeTrainerState } from '../../../src/formats/trainer-state.ts';
import { source } from '../../support/memory-folder.ts';
import { fixture } from '../fixtures.ts';
import { expectSame, type Format, INPUT } from '../format.ts';
import { mutateJson } from '../mutate/json.ts';

const FILE = 'trainer_state.json';
const WORDS = [
  '{"step":1,"epoch":0.5}',
  '{"step":1}',
  '[]',
  '[{}]',
  '0.5',
  '1e308',
  'NaN',
  '-Infinity',
  '"checkpoint-2"',
];

export const TRAINER_STATES = [
  'formats/trainer_state.json',
  'run/trainer_state.json',
  ...['batch2', 'llama_sharded', 'prequant', 'qwen3', 'rank_pattern'].map(
    (name) => `cases/${name}/expected/trainer_state.json`,
  ),
];

/** trainer_state.json. */
export const trainerState: Format = {
  name: 'trainer_state',
  seeds: () => TRAINER_STATES.map((path) => ({ [FILE]: fixture(path) })),
  mutate: (random, files) => ({ [FILE]: mutateJson(random, files[FILE]!, WORDS) }),
  async read(files) {
    const state = parseTrainerState(
      await readJson(source(`${INPUT}/${FILE}`, files[FILE]!)),
      `${INPUT}/${FILE}`,
    );
    expectSame(parseTrainerState(parseJson(writeTrainerState(state)), FILE), state, 'written and read again');
  },
};
