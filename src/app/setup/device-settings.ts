import { Fields, isRecord } from '../../formats/fields.ts';
import { UserError } from '../../formats/user-error.ts';
import { PRECISION_CHOICES } from '../../run/precision.ts';
import type { DeviceSettings } from '../../engine/protocol/protocol.ts';
import type { AppState } from '../shared/app-state.ts';
import type { Setting } from '../../formats/setting.ts';

type Allowed = AppState['allowed'];
export type DeviceField = Setting & { key: keyof DeviceSettings };

/** What belongs to this device and not to the recipe: what a run may take of it, and how it computes there. */
export const DEVICE_FIELDS: readonly DeviceField[] = [
  {
    key: 'memory',
    label: 'GPU memory at most',
    hint: 'GiB. More memory, less recomputation. Empty: automatic',
    kind: 'number',
    range: { above: 0 },
    usual: undefined,
  },
  {
    key: 'leaveRoom',
    label: 'Leave GPU time to other programs',
    hint: 'About half of the GPU’s time; takes hold with the next start',
    kind: 'boolean',
  },
  {
    key: 'precision',
    label: 'Precision',
    hint: 'Of the large products; auto: the fastest that keeps the losses. A run stays with the one it began in',
    kind: 'choice',
    choices: PRECISION_CHOICES,
  },
];

/** Under this name the browser keeps them. */
const KEPT = 'retune-device';

/** What was allowed when the page was last used, as far as the browser kept it. */
export function storedDeviceSettings(): Allowed {
  const kept = readKept();
  const text = typeof kept.memory === 'string' ? kept.memory : '';
  const precision = precisionOf(String(kept.precision));
  return withMemory({ memory: '', problem: '', leaveRoom: kept.leaveRoom === true, precision }, text);
}

function readKept(): Partial<Record<keyof Allowed, unknown>> {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEPT) ?? '{}');
    return isRecord(kept) ? kept : {};
  } catch {
    // Where site data is blocked, even asking for localStorage throws.
    return {};
  }
}

/** Keeps it for the next visit; false where the browser does not. */
export function storeDeviceSettings({ memory, leaveRoom, precision }: Allowed): boolean {
  try {
    localStorage.setItem(KEPT, JSON.stringify({ memory, leaveRoom, precision }));
    return true;
  } catch {
    return false;
  }
}

export function withEdit(allowed: Allowed, key: DeviceField['key'], text: string): Allowed {
  switch (key) {
    case 'memory':
      return withMemory(allowed, text);
    case 'leaveRoom':
      return { ...allowed, leaveRoom: text === 'true' };
    case 'precision':
      return { ...allowed, precision: precisionOf(text) };
  }
}

function precisionOf(text: string): Allowed['precision'] {
  return PRECISION_CHOICES.find((choice) => choice === text) ?? 'auto';
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
export function deviceSettings({ memory, problem, leaveRoom, precision }: Allowed): DeviceSettings {
  const amount = problem ? undefined : gibibytes(memory);
  return { memory: amount && Math.floor(amount * 2 ** 30), leaveRoom, precision };
}

/** Throws UserError. */
function gibibytes(text: string): number | undefined {
  if (text.trim() === '') return undefined;
  return new Fields('GPU memory', { 'the value': text }, '', 'change it').number('the value', { above: 0 });
}
