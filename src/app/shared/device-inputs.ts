import { isRecord } from '../../formats/fields.ts';
import { UserError } from '../../formats/user-error.ts';
import {
  DEVICE_SETTINGS,
  type DeviceKey,
  type DeviceSetting,
  type DeviceSettings,
} from '../../run/device-settings.ts';
import { settingText, settingValue } from './setting-text.ts';

/** The settings of this device as typed, and what is wrong with any. */
export interface DeviceInputs {
  readonly texts: Readonly<Record<DeviceKey, string>>;
  readonly problems: Readonly<Partial<Record<DeviceKey, string>>>;
}

/** The settings in the order in which the page shows them. */
export const DEVICE_FIELDS = Object.entries(DEVICE_SETTINGS) as [DeviceKey, DeviceSetting][];

const texts = DEVICE_FIELDS.map(([name, setting]) => [name, settingText(setting, setting.default)] as const);
export const DEFAULT_INPUTS: DeviceInputs = {
  texts: Object.fromEntries(texts) as DeviceInputs['texts'],
  problems: {},
};

/** Under this name the browser keeps them. */
const KEPT = 'retune-device';

/** What stood in the inputs when the page was last used, as far as the browser kept it. */
export function storedDeviceInputs(): DeviceInputs {
  const kept = readKept();
  return DEVICE_FIELDS.reduce((inputs, [name, { key }]) => {
    const value = kept[key];
    const isText = typeof value === 'string' || typeof value === 'boolean';
    return isText ? withEdit(inputs, name, String(value)) : inputs;
  }, DEFAULT_INPUTS);
}

function readKept(): Readonly<Record<string, unknown>> {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEPT) ?? '{}');
    return isRecord(kept) ? kept : {};
  } catch {
    // Where site data is blocked, even asking for localStorage throws.
    return {};
  }
}

/** Keeps them for the next visit; false where the browser does not. */
export function storeDeviceInputs({ texts }: DeviceInputs): boolean {
  const kept = DEVICE_FIELDS.map(([name, { key, kind }]) => {
    const text = texts[name];
    return [key, kind === 'boolean' ? text === 'true' : text] as const;
  });
  try {
    localStorage.setItem(KEPT, JSON.stringify(Object.fromEntries(kept)));
    return true;
  } catch {
    return false;
  }
}

/** The inputs with `text` in one of them; an unknown choice becomes the default. */
export function withEdit({ texts, problems }: DeviceInputs, name: DeviceKey, text: string): DeviceInputs {
  const setting: DeviceSetting = DEVICE_SETTINGS[name];
  const known = setting.kind !== 'choice' || setting.choices.includes(text);
  const others = Object.entries(problems).filter(([other]) => other !== name);
  try {
    if (known) {
      settingValue(setting, text, setting.subject);
    }
    const shown = known ? text : DEFAULT_INPUTS.texts[name];
    return { texts: { ...texts, [name]: shown }, problems: Object.fromEntries(others) };
  } catch (error) {
    if (!(error instanceof UserError)) {
      throw error;
    }
    return {
      texts: { ...texts, [name]: text },
      problems: { ...Object.fromEntries(others), [name]: error.message },
    };
  }
}

/** Whether something in the inputs is wrong. */
export const hasProblem = ({ problems }: DeviceInputs): boolean => Object.keys(problems).length > 0;

/** As the engine takes them; what cannot be taken does not count. */
export function deviceSettings({ texts, problems }: DeviceInputs): DeviceSettings {
  const values = DEVICE_FIELDS.filter(([name]) => problems[name] === undefined).map(
    ([name, setting]) => [name, valueOf(setting, texts[name])] as const,
  );
  return Object.fromEntries(values.filter(([, value]) => value !== undefined)) as unknown as DeviceSettings;
}

function valueOf(setting: DeviceSetting, text: string): unknown {
  const value = settingValue(setting, text);
  return typeof value === 'number' && setting.unit !== undefined ? Math.floor(value * setting.unit) : value;
}
