import { css, html, LitElement } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { ChatVersion } from '../../../engine/protocol/chat.ts';
import { shared } from '../../shared/styles.ts';
import { voteResultOf } from '../../shared/vote-result.ts';
import type { BlindResult } from './chat-state.ts';

/** How the blind votes fell, two versions at a time. */
@customElement('chat-votes')
export class ChatVotes extends LitElement {
  @property({ attribute: false }) results: readonly BlindResult[] = [];
  @property({ attribute: false }) name: (version: ChatVersion) => string = String;

  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
      h4 {
        font-size: var(--small);
      }
      li {
        display: grid;
        grid-template-columns: minmax(0, 1fr) minmax(0, 18rem);
        gap: 0.4rem 1.5rem;
        align-items: center;
        font-size: var(--small);
        padding: 0.4rem 0;
      }
      @media (max-width: 44rem) {
        li {
          grid-template-columns: minmax(0, 1fr);
        }
      }
    `,
  ];

  override render() {
    return html`<h4>Your blind votes, over all conversations with this run</h4>
      <ul>
        ${this.results.map(({ versions, counts }) => {
          const [a, b] = versions.map((version) => this.name(version)) as [string, string];
          return html`<li>${voteResultOf([a, b], counts)}</li>`;
        })}
      </ul>`;
  }
}
