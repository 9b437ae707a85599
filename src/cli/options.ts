import { type Command, InvalidArgumentError, Option } from 'commander';
import { shortenWords } from '../formats/quote.ts';
import { MAX_BYTES, readText } from '../formats/read-text.ts';
import {
  defaultRecipe,
  parseOwnRecipe,
  parseRecipe,
  readingLines,
  type Recipe,
  recipeWithoutFile,
} from '../formats/recipe.ts';
import { UserError } from '../formats/user-error.ts';
import { MEMORY_FORM, readMemory } from '../formats/words.ts';
import {
  DEVICE_SETTINGS,
  type DeviceKey,
  type DeviceSetting,
  type GivenDeviceSettings,
} from '../run/device-settings.ts';
import { type Columns, parseColumns } from '../text/columns.ts';
import { type Moment, parseMoment } from '../text/moment.ts';
import type { Display } from './display.ts';
import { nodeSource } from './node-files.ts';

/** Stands for "no adapter" or "no cache" where a folder is expected. */
export const NONE = 'none';

/** Ends a command whose options or arguments contain an empty text: all that accept any text are paths. */
export function refuseEmpty(command: Command): void {
  const isEmpty = (value: unknown) => typeof value === 'string' && value.trim() === '';
  const option = command.options.find((o) => isEmpty(command.getOptionValue(o.attributeName())));
  if (option) {
    command.error(`option '${option.flags}' is empty, expected a path`);
  }
  const argument = command.registeredArguments.find((_, i) => isEmpty(command.processedArgs[i]));
  if (argument) {
    command.error(`argument '${argument.name()}' is empty, expected a path`);
  }
}

/** A parser for a number option; bounds are inclusive. */
export function numberOption({ whole = false, min = -Infinity, max = Infinity }) {
  return (text: string): number => {
    const value = text.trim() === '' ? NaN : Number(text);
    if (Number.isFinite(value) && value >= min && value <= max && (!whole || Number.isSafeInteger(value))) {
      return value;
    }
    const bounds = [min > -Infinity ? `at least ${min}` : '', max < Infinity ? `at most ${max}` : ''].filter(
      Boolean,
    );
    throw new InvalidArgumentError(
      `Expected ${whole ? 'a whole number' : 'a number'} ${bounds.join(' and ')}`.trim(),
    );
  };
}

/** A parser for a share ("5%", "0.05") or a number of rows, as `val_size` of a recipe. */
export function holdOutOption(text: string): number {
  const [, digits, percent] = /^\s*(\d*\.?\d+)\s*(%?)\s*$/.exec(text) ?? [];
  const value = Number(digits) / (percent ? 100 : 1);
  if (value > 0 && (value < 1 || (!percent && Number.isSafeInteger(value)))) {
    return value;
  }
  throw new InvalidArgumentError('Expected a share such as 5% or 0.05, or a number of rows');
}

/** A parser for columns: "instruction=Question,output=Answer". */
function columnsOption(text: string): Columns {
  const columns = parseColumns(text);
  if (typeof columns === 'string') {
    throw new InvalidArgumentError(`Found ${columns}`);
  }
  return columns;
}

/** The option that says what of the rows is read as what. */
export const columnsOptionOf = (): Option =>
  new Option(
    '--columns <map>',
    'which columns or keys of the rows to read as what, such as "instruction=Question,output=Answer" (chat), "prompt=Question,completion=Answer" (plain text), "messages=Dialog" or "text=Body"; without it by their names',
  ).argParser(columnsOption);

/** The rows to hold out, for a command that reads a run's inputs as another does. */
export const holdOutOptionAsIn = (command: string): Option =>
  new Option('--hold-out <share>', `without --val-data: rows to hold out, as in "retune ${command}"`)
    .argParser(holdOutOption)
    .conflicts('valData');

/** The file of changes over the rows of another option. */
export const rowChangesOption = (of: '--train-data' | '--val-data'): Option =>
  new Option(
    of === '--train-data' ? '--row-changes <file>' : '--val-row-changes <file>',
    of === '--train-data'
      ? 'rows of --train-data to leave out or to read as another text, as the page exports them: {"sha256": "<of the file of rows>", "leave_out": [3, 17], "edit": {"12": {…}}}, by line, or by index in a list or in Parquet, from 1; the file of rows stays as it is'
      : 'the same for --val-data',
  );

/** A parser for a day: "2026-03-07". */
export function dateOption(text: string): Moment {
  const moment = /^[\d-]+$/.test(text) ? parseMoment(text) : undefined;
  if (moment === undefined) {
    throw new InvalidArgumentError('Expected a day as YYYY-MM-DD');
  }
  return moment;
}

const DEVICE_KEYS = Object.keys(DEVICE_SETTINGS) as DeviceKey[];

/** The option of a setting of the device. */
export function deviceOption(name: DeviceKey): Option {
  const setting: DeviceSetting = DEVICE_SETTINGS[name];
  const option = new Option(setting.flags, setting.help);
  if (setting.kind === 'choice') {
    option.choices(setting.choices);
  } else if (setting.kind === 'number') {
    option.argParser(setting.unit ? memoryOption : numberOption(setting.range));
  }
  return setting.kind !== 'boolean' && setting.default !== undefined
    ? option.default(setting.default)
    : option;
}

/** Gives a command the options of all settings of the device. */
export function addDeviceOptions(command: Command): Command {
  for (const name of DEVICE_KEYS) {
    command.addOption(deviceOption(name));
  }
  return command;
}

/** What a command line says of the device. */
export function givenDeviceSettings(options: object): GivenDeviceSettings {
  const given = new Map<string, unknown>(Object.entries(options));
  return Object.fromEntries(DEVICE_KEYS.map((name) => [name, given.get(deviceOption(name).attributeName())]));
}

/** A parser for an amount of memory: "4GB", "3500 MiB"; in bytes. */
export function memoryOption(text: string): number {
  const bytes = readMemory(text);
  if (bytes === undefined) {
    throw new InvalidArgumentError(`Expected ${MEMORY_FORM}`);
  }
  return bytes;
}

/**
 * The recipe of a file, or that of a run without one; reports how another tool's was read, and what has no effect. Throws
 * UserError.
 */
export async function readRecipeFile(path: string | undefined, display: Display): Promise<Recipe> {
  if (path === undefined) {
    return recipeWithoutFile();
  }
  const text = await textOf(path);
  if (text.trim() === '') {
    throw new UserError(
      `${path}: there is nothing in it, expected keys and values; leave --config out for the default values.`,
    );
  }
  const { recipe, warnings, reading } = parseRecipe(text, path);
  if (reading) {
    for (const [heading, text] of readingLines(reading, "the command line's options count")) {
      display.line(shortenWords(`${path}: ${heading.toLowerCase()}: ${text}`));
    }
  }
  for (const warning of warnings) {
    display.line(`Note: ${shortenWords(warning)}`);
  }
  return recipe;
}

/** The recipe that Retune stored with an adapter, otherwise the default one. */
export async function readOwnRecipe(path: string | undefined): Promise<Recipe> {
  return path === undefined ? defaultRecipe() : parseOwnRecipe(await textOf(path), path);
}

async function textOf(path: string): Promise<string> {
  return readText(await nodeSource(path), MAX_BYTES.recipe, 'a training_config.yaml');
}
