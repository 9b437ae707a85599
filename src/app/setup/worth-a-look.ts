import { css, html, nothing } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import { counted } from '../../formats/words.ts';
import { type Advisory, ADVISORY_TITLES, type Remedy } from '../../run/checks/advisory.ts';
import { isActive } from '../shared/app-state.ts';
import { safeText } from '../shared/safe-text.ts';
import { SessionView } from '../shared/session-view.ts';
import { shared } from '../shared/styles.ts';

/** What is worth a look before the start, each with the buttons that mend it; none of it blocks. */
@customElement('worth-a-look')
export class WorthALook extends SessionView {
  /** What was mended last. */
  @state() private mended = '';

  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
      section {
        margin-top: var(--gap);
      }
      h3 {
        margin-bottom: 0.6rem;
      }
      h3:focus:not(:focus-visible) {
        outline: none;
      }
      ul {
        display: grid;
        gap: 0.9rem;
      }
      li {
        padding-left: 0.8rem;
        border-left: 3px solid var(--warn);
        font-size: var(--small);
      }
      h4 {
        font-weight: 600;
        font-size: inherit;
        color: var(--warn);
      }
      li p {
        overflow-wrap: anywhere;
      }
      .row {
        margin-top: 0.4rem;
        gap: 0.4rem 0.6rem;
      }
      li button {
        text-align: left;
        overflow-wrap: anywhere;
      }
      ul + .mended {
        margin-top: 0.8rem;
      }
    `,
  ];

  override render() {
    const { advisories = [], planning, run } = this.app;
    if (advisories.length === 0 && (this.mended === '' || isActive(run))) {
      return nothing;
    }
    return html`<section class="panel" aria-labelledby="look">
      <h3 id="look" tabindex="-1">
        Worth a look${advisories.length > 0 ? `: ${counted(advisories.length, 'thing')}` : ''}
      </h3>
      ${
        advisories.length > 0
          ? html`<ul aria-busy=${planning}>
              ${advisories.map((advisory) => this.#item(advisory))}
            </ul>`
          : nothing
      }
      <p class="mended small soft" role="status">
        ${this.mended && `Done: ${this.mended}.${advisories.length === 0 ? ' Nothing else is worth a look.' : ''}`}
      </p>
    </section>`;
  }

  #item({ kind, found, remedies }: Advisory) {
    const { planning, run, slots } = this.app;
    const locked = planning || slots.train.reading || isActive(run);
    return html`<li>
      <h4>${ADVISORY_TITLES[kind]}</h4>
      <p>${safeText(`${sentence(found)}.`)}</p>
      ${
        remedies.length > 0
          ? html`<div class="row">
              ${remedies.map(
                (remedy) =>
                  html`<button type="button" ?disabled=${locked} @click=${() => void this.#mend(remedy)}>
                    ${safeText(begun(remedy.label))}
                  </button>`,
              )}
            </div>`
          : nothing
      }
    </li>`;
  }

  /** Its button goes, so that the heading takes the focus. */
  async #mend(remedy: Remedy): Promise<void> {
    this.mended = remedy.label;
    this.show();
    await this.session.choices.mend(remedy);
  }

  /** Brings it into view and hands it the focus. */
  show(): void {
    const heading = this.renderRoot.querySelector<HTMLElement>('#look');
    heading?.focus({ preventScroll: true });
    heading?.scrollIntoView({ block: 'nearest' });
  }
}

/** A name at its beginning stays as it is written. */
const sentence = (found: string): string => (/^(?:an?|the) /.test(found) ? begun(found) : found);

const begun = (label: string): string => `${label.charAt(0).toUpperCase()}${label.slice(1)}`;
