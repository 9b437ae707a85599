import { counted } from '../../formats/words.ts';
import { type VoteCount, voteResult } from './votes.ts';

const percent = (share: number): string => `${Math.round(100 * share)}%`;

/** How votes between two versions fell, in one or two sentences; undefined where none is for one of the two. */
export function votesSentence([a, b]: readonly [string, string], votes: VoteCount): string | undefined {
  const result = voteResult(votes);
  if (!result) {
    return undefined;
  }
  const [low, high] = result.interval;
  const ties = votes.same > 0 ? ` (${votes.same} more: equally good)` : '';
  const verdict = { a: `You prefer ${a}.`, b: `You prefer ${b}.`, open: 'No clear preference yet.' };
  return `${b} won ${votes.b} of ${counted(votes.a + votes.b, 'vote')} against ${a}${ties}: ${percent(result.share)}, 95% interval ${percent(low)} to ${percent(high)}. ${verdict[result.verdict]}`;
}
