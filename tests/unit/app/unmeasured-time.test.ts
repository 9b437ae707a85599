import { expect, it } from 'vitest';
import { timeCheck } from '../../../src/app/setup/time-check.ts';
import { type AppState, initialState } from '../../../src/app/shared/app-state.ts';

/** A run of a million tokens on 1.5 billion parameters is planned. */
function state(software: boolean, architecture: string): AppState {
  const device = { name: 'a GPU', software, maxBufferBytes: 1, bindingBytes: 1, key: '' };
  const base = { ok: true, value: { parameters: 1.5e9 } } as AppState['slots']['base']['answer'];
  return {
    ...initialState,
    device: { ok: true, value: { ...device, vendor: 'nvidia', architecture } },
    plan: { ok: true, value: { work: 1e6 } } as AppState['plan'],
    slots: { ...initialState.slots, base: { ...initialState.slots.base, answer: base } },
  };
}

it('before anything is measured, the time is a range by the architecture that the browser names', () => {
  const [row] = timeCheck(state(false, 'lovelace'));
  expect(row!.detail).toBe(
    'About 2–70 min: not measured; by what is published of cards of this kind (nvidia lovelace).',
  );
});

it.each([
  ['a software device', state(true, 'lovelace')],
  ['a kind that is not known', state(false, 'of next year')],
  ['no plan', { ...state(false, 'lovelace'), plan: undefined }],
])('there is none with %s', (_, without) => {
  expect(timeCheck(without)).toEqual([]);
});
