import { Fields } from '../../formats/fields.ts';
import { UserError } from '../../formats/user-error.ts';
import type { DeviceSettings } from '../../worker/protocol.ts';
import type { AppState } from './app-state.ts';
import type { RecipeField } from './recipe-fields.ts';

type Allowed = AppState['allowed'];
type DeviceField = Pick<RecipeField, 'label' | 'hint' | 'kind'> & { key: 'memory' | 'leaveRoom' };

/** What the user may allow or keep back on this device: no part of the recipe, since results do not depend on it. */
export const DEVICE_FIELDS: readonly DeviceField[] = [
  {
    key: 'memory',
    label: 'GPU memory at most',
    hint: 'GiB; the more, the less is computed twice. Empty: found by itself',
    kind: { number: { above: 0 }, optional: true },
  },
  {
    key: 'leaveRoom',
    label: 'Leave room for other programs',
    hint: 'About half of the GPU’s time; takes hold with the next start',
    kind: 'boolean',
  },
];

/** Under this name the browser keeps them. */
const KEPT = 'retune-device';

/** What was allowed when the page was last used. */
export function keptAllowed(): Allowed {
  const kept = JSON.parse(localStorage.getItem(KEPT) ?? '{}') as { memory?: unknown; leaveRoom?: unknown };
  const text = typeof kept.memory === 'string' ? kept.memory : '';
  return withMemory({ memory: '', problem: '', leaveRoom: kept.leaveRoom === true }, text);
}

export function keepAllowed({ memory, leaveRoom }: Allowed): void {
  localStorage.setItem(KEPT, JSON.stringify({ memory, leaveRoom }));
}

export function withEdit(allowed: Allowed, key: DeviceField['key'], text: string): Allowed {
  return key === 'memory' ? withMemory(allowed, text) : { ...allowed, leaveRoom: text === 'true' };
}

function withMemory(allowed: Allowed, memory: string): Allowed {
  try {
    gibibytes(memory);
    return { ...allowed, memory, problem: '' };
  } catch (error) {
    if (error instanceof UserError) return { ...allowed, memory, problem: error.message };
    throw error;
  }
}

/** As the engine takes it; what cannot be taken does not count. */
export function deviceSettings({ memory, problem, leaveRoom }: Allowed): DeviceSettings {
  const amount = problem ? undefined : gibibytes(memory);
  return { memory: amount && Math.floor(amount * 2 ** 30), leaveRoom };
}

/** Throws UserError. */
function gibibytes(text: string): number | undefined {
  if (text.trim() === '') return undefined;
  return new Fields('GPU memory', { 'the value': text }, '', 'change it').number('the value', { above: 0 });
}
