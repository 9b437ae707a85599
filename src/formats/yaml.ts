import { parse, stringify } from 'yaml';
import { UserError } from './user-error.ts';

/** YAML 1.1, as PyYAML reads and writes it: yes and no are booleans. */
const OPTIONS = { version: '1.1', logLevel: 'error' } as const;

/** Parses YAML; null for an empty text. Throws UserError naming the line. */
export function parseYaml(text: string, file: string): unknown {
  try {
    return parse(text, OPTIONS);
  } catch (error) {
    // Below the first line, the parser quotes the text.
    const problem = (error as Error).message.split('\n')[0]!.replace(/:$/, '');
    throw new UserError(`${file}: not valid YAML: ${problem}; correct the file.`);
  }
}

export function writeYaml(value: unknown): string {
  return stringify(value, OPTIONS);
}
