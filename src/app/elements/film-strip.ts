import { css, html, LitElement, nothing } from 'lit';
import { customElement, property, queryAll, state } from 'lit/decorators.js';
import { counted } from '../../formats/words.ts';
import type { SampleFilm } from '../../run/samples/film.ts';
import { type FilmFrame, type FilmStrip, filmStrips, stepsText } from '../shared/film-frames.ts';
import { safeText } from '../shared/safe-text.ts';
import { shared } from '../shared/styles.ts';
import { markedStyles, markedText } from './marked-text.ts';

/** Frames of a strip that are shown at first: the latest. */
const MAX_FRAMES = 24;
/** Characters of a prompt that are shown. */
const MAX_PROMPT = 400;

/**
 * How answers change: a strip for each prompt, a frame for each answer, with its changes to the frame before marked. A
 * strip follows its newest frame unless scrolled away from it.
 */
@customElement('film-strip')
export class FilmStripView extends LitElement {
  @property({ attribute: false }) film: SampleFilm = { prompts: [], answers: [] };
  /** Whether it is of a run under way, whose newest frame is what is looked for. */
  @property({ type: Boolean }) live = false;
  @state() private all = false;
  @queryAll('ol') private lists!: NodeListOf<HTMLElement>;
  #strips: readonly FilmStrip[] = [];
  /** Strips that were scrolled away from their end. */
  #away = new Set<number>();

  static override styles = [
    shared,
    markedStyles,
    css`
      :host {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 1rem;
      }
      h4 {
        font-size: var(--small);
        font-weight: 550;
        white-space: pre-wrap;
        overflow-wrap: anywhere;
        margin: 0 0 0.4rem;
      }
      ol {
        /* What is only heard stands out of the flow: it must scroll too. */
        position: relative;
        list-style: none;
        margin: 0;
        padding: 0 0 0.5rem;
        display: flex;
        gap: 0.6rem;
        overflow-x: auto;
        scroll-snap-type: x proximity;
      }
      li {
        flex: 0 0 min(20rem, 82%);
        scroll-snap-align: start;
        border: 1px solid var(--line);
        border-radius: var(--radius-small);
        background: var(--sunken);
        padding: 0.5rem 0.7rem;
      }
      .steps {
        font-size: var(--tiny);
        color: var(--ink-soft);
        margin-bottom: 0.25rem;
      }
      .answer {
        font-size: var(--small);
        line-height: 1.5;
        white-space: pre-wrap;
        overflow-wrap: anywhere;
      }
    `,
  ];

  override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has('film')) {
      this.#strips = filmStrips(this.film);
    }
    this.#away = new Set(
      [...(this.lists ?? [])].flatMap(({ scrollLeft, clientWidth, scrollWidth }, i) =>
        scrollLeft + clientWidth < scrollWidth - 24 ? [i] : [],
      ),
    );
  }

  override updated(): void {
    if (!this.live) {
      return;
    }
    this.lists.forEach((list, i) => {
      if (!this.#away.has(i)) {
        list.scrollLeft = list.scrollWidth;
      }
    });
  }

  override render() {
    const longest = this.#strips.reduce((most, { frames }) => Math.max(most, frames.length), 0);
    const hidden = this.all ? 0 : Math.max(0, longest - MAX_FRAMES);
    return html`${this.#strips.map((strip) => this.#strip(strip))}
    ${
      hidden > 0
        ? html`<button type="button" class="link" @click=${() => (this.all = true)}>
            Show ${counted(hidden, 'earlier frame')} too
          </button>`
        : nothing
    }`;
  }

  #strip({ prompt, frames }: FilmStrip) {
    const shown = prompt.length > MAX_PROMPT ? `${prompt.slice(0, MAX_PROMPT)}…` : prompt;
    const latest = this.all ? frames : frames.slice(-MAX_FRAMES);
    return html`<div>
      <h4>${safeText(shown)}</h4>
      <ol tabindex="0" role="list" aria-label=${safeText(`Answers to: ${shown}`)}>
        ${latest.map((frame) => this.#frame(frame))}
      </ol>
    </div>`;
  }

  #frame(frame: FilmFrame) {
    const { pieces, cut } = frame;
    const isEmpty = pieces.every(({ kind }) => kind === 'gone') && !cut;
    const beyond = isEmpty
      ? html`<span class="soft">(no answer)</span>`
      : cut
        ? html`<span class="soft" title="It goes on">…</span>`
        : nothing;
    // In one line: white space of the markup would be shown.
    const text = html`${markedText(pieces, 'other')}${beyond}`;
    return html`<li>
      <p class="steps numbers">${stepsText(frame)}</p>
      <p class="answer">${text}</p>
    </li>`;
  }
}
