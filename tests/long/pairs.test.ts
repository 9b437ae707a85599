import { expect, it } from 'vitest';
import { checkPair, pairLine } from '../support/check-pairs.ts';
import { comparePairs } from '../support/pairs.ts';

/** What tests/reference/chats/make_pairs.py wrote, without --cut. */
const FOLDER = process.env.RETUNE_PAIRS;

// Published tokenizers are too large for this repository, so this runs only where RETUNE_PAIRS names a folder with them.
it.skipIf(!FOLDER)('ids and masks with whole published tokenizers are Python’s', async () => {
  const reports = await comparePairs(FOLDER!);
  console.log(reports.map(pairLine).join('\n'));
  expect(reports.length).toBeGreaterThanOrEqual(12);
  reports.forEach(checkPair);
});
