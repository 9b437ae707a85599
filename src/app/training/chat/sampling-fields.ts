import type { ChatSampling } from '../../../engine/protocol/chat.ts';
import { quote } from '../../../formats/quote.ts';

export type SettingKey = keyof ChatSampling;

interface SettingField {
  key: SettingKey;
  label: string;
  hint: string;
  /** One text a line. */
  lines?: boolean;
}

/** The fields of an answer's sampling, in the order of the form. */
export const SETTINGS: readonly SettingField[] = [
  { key: 'temperature', label: 'Temperature', hint: '0: greedy, the most likely token each time.' },
  { key: 'topP', label: 'Top-p', hint: 'Above temperature 0: the most likely tokens up to this share.' },
  { key: 'seed', label: 'Seed', hint: 'The same seed repeats an answer on this device.' },
  { key: 'maxNewTokens', label: 'Length, in tokens', hint: 'Longer answers are cut.' },
  {
    key: 'stop',
    label: 'Stop texts',
    hint: 'One a line, \\n for a line break: an answer ends before the first.',
    lines: true,
  },
];

const NUMBERS = {
  temperature: { fits: (value: number) => value >= 0 && value <= 100, expected: 'a number from 0 to 100' },
  topP: { fits: (value: number) => value > 0 && value <= 1, expected: 'a number above 0, at most 1' },
  seed: {
    fits: (value: number) => Number.isInteger(value) && value >= 0 && value < 2 ** 32,
    expected: 'a whole number from 0 to 4294967295',
  },
  maxNewTokens: {
    fits: (value: number) => Number.isInteger(value) && value >= 1,
    expected: 'a whole number of at least 1',
  },
} as const;

const MAX_STOPS = 16;

/** A setting as its field shows it. */
export const samplingText = (sampling: ChatSampling, key: SettingKey): string =>
  key === 'stop'
    ? sampling.stop.map((text) => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')).join('\n')
    : String(sampling[key]);

/** What a field says, or what is wrong with it. */
export function readSampling(
  key: SettingKey,
  text: string,
): { value: ChatSampling[SettingKey]; problem?: undefined } | { problem: string } {
  if (key === 'stop') {
    const value = text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.replace(/\\([\\n])/g, (_, escaped) => (escaped === 'n' ? '\n' : '\\')));
    return value.length <= MAX_STOPS ? { value } : { problem: `Expected at most ${MAX_STOPS} texts.` };
  }
  const { fits, expected } = NUMBERS[key];
  const value = Number(text);
  return text.trim() !== '' && fits(value)
    ? { value }
    : { problem: `Found ${quote(text)}, expected ${expected}.` };
}
