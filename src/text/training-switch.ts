import { NumberText } from '../formats/json.ts';
import { UserError } from '../formats/user-error.ts';
import { quoted, type RowFields, wrongType } from './row-fields.ts';

/** Keys that make a turn or row context only: OpenAI's, and those that axolotl and others read. */
export const SWITCHES = ['weight', 'loss_weight', 'train', 'trainable'] as const;

/**
 * Whether a turn, or a whole row, asks to be trained; undefined if it does not say. Throws UserError for a
 * fraction: a weighted loss is not supported.
 */
export function trainingSwitch(fields: RowFields): boolean | undefined {
  const given = SWITCHES.filter((key) => fields.has(key));
  if (given.length === 0) {
    return undefined;
  }
  return given.map((key) => isOn(fields.value(key), fields.path(key))).every(Boolean);
}

function isOn(value: unknown, path: string): boolean {
  if (typeof value === 'boolean') {
    return value;
  }
  const number = value instanceof NumberText ? Number(value.text) : undefined;
  if (number === 0 || number === 1) {
    return number === 1;
  }
  if (value instanceof NumberText) {
    throw new UserError(
      `${path} is ${quoted(value.text).slice(1, -1)}, expected 0 or 1: a turn is trained whole or not at all; round it or remove the key`,
    );
  }
  throw wrongType(path, value, '0 or 1, or false or true');
}
