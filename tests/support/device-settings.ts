import { Fields } from '../../src/formats/fields.ts';
import { readSettings } from '../../src/formats/setting.ts';
import { DEVICE_SETTINGS } from '../../src/run/device-settings.ts';

/** The settings of a device where nobody changed any. */
export const DEFAULT_DEVICE = readSettings(new Fields('the device', {}), DEVICE_SETTINGS);
