import { describe, expect, test } from 'vitest';
import { parseJson } from '../../../../src/formats/json.ts';
import { TemplateFault } from '../../../../src/text/jinja/faults.ts';
import { Template } from '../../../../src/text/jinja/template.ts';
import { fromJson, type Value } from '../../../../src/text/jinja/values.ts';
import { fixtureBytes } from '../../../support/memory-folder.ts';

interface Fixture {
  templates: [template: string, printed: string | null][];
  table: { atoms: string[]; operators: Record<string, (string | null | false)[]> };
}

/** What Jinja2 printed; see tests/reference/chats/make_jinja.py. */
const text = new TextDecoder().decode(fixtureBytes('text/jinja.json'));
const { templates, table } = JSON.parse(text) as Fixture;
const ordered = parseJson(text, { keepKeyOrder: true, keepNumberText: true }) as Map<
  string,
  Map<string, unknown>
>;
const variables = new Map(
  [...ordered.get('context')!].map(([name, value]): [string, Value] => [name, fromJson(value, 1)]),
);
const now = new Date(Date.UTC(2026, 2, 7, 14, 5, 9));

/** The template's output; null if it is an error, or what this interpreter does not support. */
function printed(template: string): string | null | { unknown: string } {
  try {
    const { text, origins } = new Template(template).render({ messages: [], variables, now, size: 0 });
    expect(origins?.length ?? text.length).toBe(text.length);
    return text;
  } catch (error) {
    if (!(error instanceof TemplateFault)) {
      throw error;
    }
    return error.kind === 'unsupported' ? { unknown: error.message } : null;
  }
}

/** Templates that render differently from Python, and those refused by name. */
function differences(cases: Iterable<readonly [template: string, expected: string | null]>) {
  const different: unknown[] = [];
  const unknown: string[] = [];
  for (const [template, expected] of cases) {
    const found = printed(template);
    if (typeof found === 'object' && found !== null) {
      if (expected !== null) {
        unknown.push(template);
      }
    } else if (found !== expected) {
      different.push({ template, expected, found });
    }
  }
  return { different, unknown };
}

describe('a template prints what it prints in Python', () => {
  test('syntax, statements, methods, filters, tests', () => {
    expect(templates.length).toBeGreaterThan(1500);
    const { different, unknown } = differences(templates);
    expect(different).toEqual([]);
    expect(unknown).toEqual(["{{ '\\ud83d' is string }}", '{{ 1.real }}', '{{ 2 ** -1 }}', '{{ 2 ** 0.5 }}']);
  });

  test.each(Object.keys(table.operators))('%s of every pair of values', (operator) => {
    const { atoms, operators } = table;
    const pairs = atoms.flatMap((a) => atoms.map((b) => `{{ ${a} ${operator} ${b} }}`));
    const results = operators[operator]!;
    expect(results).toHaveLength(pairs.length);
    const cases = pairs.flatMap((pair, i) => {
      const result = results[i]!;
      return result === false ? [] : [[pair, result] as const];
    });
    const { different, unknown } = differences(cases);
    expect(different).toEqual([]);
    // Powers of floats differ from C in the last digit.
    expect(unknown.filter(() => operator !== '**')).toEqual([]);
    expect(cases.length).toBeGreaterThan(400);
  });
});
