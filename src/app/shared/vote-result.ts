import '../elements/interval-plot.ts';
import { html, nothing } from 'lit';
import { safeText } from './safe-text.ts';
import { votesSentence } from './vote-words.ts';
import { type VoteCount, voteResult } from './votes.ts';

/** How votes between two versions fell, as text and plot; nothing where none is for one of the two. */
export function voteResultOf(versions: readonly [string, string], votes: VoteCount) {
  const text = votesSentence(versions, votes);
  const result = voteResult(votes);
  if (text === undefined || !result) {
    return nothing;
  }
  const { share, interval, verdict } = result;
  return html`<p>${safeText(text)}</p>
    <interval-plot
      .value=${2 * share - 1}
      .interval=${[2 * interval[0] - 1, 2 * interval[1] - 1]}
      .tone=${verdict === 'open' ? 'unclear' : verdict === 'b' ? 'good' : 'bad'}
      .label=${text}
      .worse=${versions[0]}
      .better=${versions[1]}
    ></interval-plot>`;
}
