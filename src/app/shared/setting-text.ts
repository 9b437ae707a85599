import { Fields } from '../../formats/fields.ts';
import { readSetting, type Setting } from '../../formats/setting.ts';
import { UserError } from '../../formats/user-error.ts';

/** What may be chosen: none too, where a setting may have no value. */
export const choicesOf = (setting: Setting & { kind: 'choice' }): readonly string[] =>
  isOptional(setting) ? ['', ...setting.choices] : setting.choices;

const isOptional = (setting: Setting): boolean => 'usual' in setting && setting.usual === undefined;

/** A setting's value as its input shows it. */
export function settingText({ kind }: Setting, value: unknown): string {
  if (value === undefined || value === Infinity) {
    return '';
  }
  if (typeof value === 'number' && value !== 0 && Math.abs(value) < 1e-3) {
    return value.toExponential();
  }
  if (kind === 'numbers') {
    return Object.entries(value as Record<string, number>)
      .map(([name, number]) => `${name} ${number}`)
      .join(', ');
  }
  if (kind === 'texts') {
    return JSON.stringify(value);
  }
  return Array.isArray(value) ? value.join(', ') : String(value as string);
}

/** The value that stands in a setting's input; undefined for none. `subject` is what a sentence begins with. Throws UserError. */
export function settingValue(setting: Setting, text: string, subject = setting.label): unknown {
  const fields = new Fields(subject, { 'the value': text }, '', 'change it');
  switch (setting.kind) {
    case 'boolean':
      return text === 'true';
    case 'text':
      return text;
    case 'names':
      return readNames(fields, text);
    case 'numbers':
      return readNumbers(text, subject);
    case 'texts':
      return readSetting(new Fields(subject, { [setting.key]: listed(text) }, '', 'change it'), setting);
    case 'choice':
      return fields.choice('the value', choicesOf(setting)) || undefined;
    case 'number': {
      const empty = text.trim() === '';
      if (empty && isOptional(setting)) {
        return undefined;
      }
      if (empty && setting.none === Infinity) {
        return Infinity;
      }
      return fields.number('the value', setting.range);
    }
  }
}

/** A list of texts as JSON; where it is none, one text. */
function listed(text: string): unknown {
  try {
    return JSON.parse(text || '[]');
  } catch {
    return text;
  }
}

function readNames(fields: Fields, text: string): readonly string[] | string {
  const names = fields.names('the value');
  if (!text.includes(',')) {
    return names;
  }
  return text
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);
}

/** "num_cycles 2, power 1": names and numbers; undefined for none. */
function readNumbers(text: string, subject: string): Record<string, number> | undefined {
  const pairs = text.split(',').filter((part) => part.trim() !== '');
  if (pairs.length === 0) {
    return undefined;
  }
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, name, number] = /^\s*(\w+)[\s:=]+(\S+)\s*$/.exec(pair) ?? [];
      if (name === undefined || number === undefined) {
        throw new UserError(`${subject}: expected names and numbers, such as num_cycles 2; change it.`);
      }
      return [
        name,
        new Fields(subject, { [name]: number }, '', 'change it').number(name, { min: 0 }),
      ] as const;
    }),
  );
}
