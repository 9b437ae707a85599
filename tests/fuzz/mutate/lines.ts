import type { Random } from '../../support/random.ts';
import { bytesOf, textOf } from '../format.ts';
import { mutateBytes } from './bytes.ts';

/**
 * One to four changes to the lines of a text, now and then to its bytes. `words` may take the place of what follows a
 * line's first colon.
 */
export function mutateLines(
  random: Random,
  bytes: Uint8Array,
  words: readonly string[],
  others: readonly Uint8Array[] = [bytes],
): Uint8Array {
  if (random.uniform() < 0.2) {
    return mutateBytes(random, bytes, others, words);
  }
  const lines = textOf(bytes).split('\n');
  do {
    const at = random.integer(0, lines.length - 1);
    const line = lines[at]!;
    const colon = line.indexOf(':');
    const other = random.integer(0, lines.length - 1);
    switch (random.integer(0, 9)) {
      case 0:
        lines.splice(at, 1);
        if (lines.length === 0) {
          lines.push('');
        }
        break;
      case 1:
        lines.splice(at, 0, line);
        break;
      case 2:
        [lines[at], lines[other]] = [lines[other]!, line];
        break;
      case 3:
        lines[at] = random.pick([' ', '  ', '\t', '- ', '? ', '# ', '    ']) + line;
        break;
      case 4:
        lines[at] = line.trimStart();
        break;
      case 5:
        lines.splice(at, 0, random.pick(words));
        break;
      default:
        if (colon >= 0) {
          lines[at] = `${line.slice(0, colon + 1)} ${random.pick(words)}`;
        } else {
          lines[at] = random.pick(words);
        }
    }
  } while (random.uniform() < 0.3);
  return bytesOf(lines.join('\n'));
}
