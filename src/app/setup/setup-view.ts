import './choose-view.ts';
import './recipe-view.ts';
import './start-bar.ts';
import './start-panel.ts';
import './worth-a-look.ts';
import { css, html } from 'lit';
import { customElement } from 'lit/decorators.js';
import { HOW, PROMISE } from '../../formats/story.ts';
import { isActive } from '../shared/app-state.ts';
import { SessionView } from '../shared/session-view.ts';
import { shared } from '../shared/styles.ts';
import type { WorthALook } from './worth-a-look.ts';

/** Stages one and two, with the start panel beside them. */
@customElement('setup-view')
export class SetupView extends SessionView {
  static override styles = [
    shared,
    css`
      :host {
        display: grid;
        grid-template: 'choose start' auto 'recipe start' 1fr / minmax(0, 1fr) 19rem;
        gap: 2.25rem 1.75rem;
        align-items: start;
      }
      section {
        scroll-margin-top: 1rem;
      }
      .choose {
        grid-area: choose;
      }
      .recipe {
        grid-area: recipe;
      }
      .intro {
        margin-bottom: 1rem;
      }
      .intro.row {
        justify-content: space-between;
        align-items: end;
      }
      h2:focus:not(:focus-visible) {
        outline: none;
      }
      h2:focus-visible {
        outline: 3px solid var(--accent);
        outline-offset: 4px;
      }
      .rail {
        grid-area: start;
        position: sticky;
        top: 1rem;
        max-height: calc(100vh - 2rem);
        display: flex;
        flex-direction: column;
        gap: 0.75rem;
      }
      start-panel {
        min-height: 0;
        overflow: auto;
        border-radius: var(--radius);
      }
      /* Below its panel where there is room, and in view where there is none. */
      start-bar {
        flex: none;
        position: sticky;
        bottom: 0.5rem;
        z-index: 1;
      }
      @media (max-width: 68rem) {
        :host {
          grid-template: 'choose' 'start' 'recipe' 'bar' / minmax(0, 1fr);
        }
        .rail {
          display: contents;
        }
        start-panel {
          grid-area: start;
        }
        start-bar {
          grid-area: bar;
        }
      }
    `,
  ];

  override render() {
    const { session } = this;
    const locked = isActive(this.app.run);
    return html`<section class="choose" aria-labelledby="choose">
        <div class="intro row">
          <div>
            <h2 id="choose" tabindex="-1">Choose three things</h2>
            <p class="soft">${HOW} ${PROMISE}</p>
          </div>
          <div class="row">
            <span class="soft">No files at hand?</span>
            <button type="button" ?disabled=${locked} @click=${() => void session.runDemo()}>
              Run the demo
            </button>
            <button
              type="button"
              class="link"
              ?disabled=${locked}
              @click=${() => void session.choices.chooseDemo()}
            >
              Use the demo’s files
            </button>
          </div>
        </div>
        <choose-view .session=${session}></choose-view>
        <worth-a-look .session=${session}></worth-a-look>
      </section>
      <div class="rail">
        <start-panel .session=${session} @look=${() => this.#worthALook?.show()}></start-panel>
        <start-bar .session=${session}></start-bar>
      </div>
      <section class="recipe" aria-labelledby="recipe">
        <div class="intro">
          <h2 id="recipe" tabindex="-1">Recipe</h2>
          <p class="soft">The defaults are sensible. Change only what you need to.</p>
        </div>
        <recipe-view .session=${session}></recipe-view>
      </section>`;
  }

  get #worthALook(): WorthALook | null {
    return this.renderRoot.querySelector('worth-a-look');
  }

  /** Which stage is in the middle of the screen: fires `stage`. */
  readonly #watch = new IntersectionObserver(
    ([entry]) =>
      this.dispatchEvent(new CustomEvent('stage', { detail: entry?.isIntersecting ? 'recipe' : 'choose' })),
    { rootMargin: '-50% 0px -50% 0px' },
  );

  override firstUpdated(): void {
    this.#watch.observe(this.renderRoot.querySelector('.recipe')!);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#watch.disconnect();
  }

  /** Brings a stage into view and hands it the focus. */
  show(stage: 'choose' | 'recipe'): void {
    const heading = this.renderRoot.querySelector<HTMLElement>(`#${stage}`);
    heading?.scrollIntoView({ block: 'start' });
    heading?.focus({ preventScroll: true });
  }
}
