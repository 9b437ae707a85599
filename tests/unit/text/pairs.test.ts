import { expect, it } from 'vitest';
import { checkPair } from '../../support/check-pairs.ts';
import { comparePairs } from '../../support/pairs.ts';

// Vocabularies cut to 250 merges; tests/long/pairs.test.ts has the whole ones.
const reports = await comparePairs('tests/fixtures/text/pairs');

it.each(reports.map((report) => [report.name, report] as const))(
  'ids and masks of sixty conversations with %s are Python’s',
  (_, report) => checkPair(report),
);

it('are twelve pairs at least', () => expect(reports.length).toBeGreaterThanOrEqual(12));
