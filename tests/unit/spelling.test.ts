import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

/** British spellings. */
const BRITISH =
  /\b\w*(?:cancell(?:ed|ing)|labell(?:ed|ing)|modell(?:ed|ing)|colour|behaviour|favour|neighbour|(?:recogn|optim|normal|initial|serial|summar|organ|quant|token)is(?:e|ed|es|ing|er)|centre|catalogue)\b/gi;
/** Stored since the first version. */
const STORED = /ended(?: !==| =|:) 'cancelled'|'length', 'cancelled'|^ +cancelled: |'cancelled' stays/;

it('words are spelled as in America', () => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => `src/${file}`);
  const found = [...files, 'README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'ARCHITECTURE.md'].flatMap(
    (file) =>
      readFileSync(file, 'utf8')
        .split('\n')
        .flatMap((line, i) =>
          STORED.test(line) ? [] : (line.match(BRITISH) ?? []).map((word) => `${file}:${i + 1}: ${word}`),
        ),
  );
  expect(found).toEqual([]);
});
