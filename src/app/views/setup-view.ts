import { css, html, nothing } from 'lit';
import { customElement } from 'lit/decorators.js';
import { shared } from '../styles.ts';
import './choose-view.ts';
import './recipe-view.ts';
import './runs-view.ts';
import { SessionView } from './session-view.ts';
import './start-panel.ts';

/** Stages one and two, with what stands before the start beside them. */
@customElement('setup-view')
export class SetupView extends SessionView {
  static override styles = [
    shared,
    css`
      :host {
        display: grid;
        grid-template-columns: minmax(0, 1fr) 20rem;
        gap: 2rem;
        align-items: start;
      }
      section {
        margin-bottom: 2.25rem;
        scroll-margin-top: 1rem;
      }
      .intro {
        margin-bottom: 1rem;
      }
      h2:focus {
        outline: none;
      }
      h2:focus-visible {
        outline: 3px solid var(--accent);
        outline-offset: 4px;
      }
      .rail {
        position: sticky;
        top: 1rem;
        max-height: calc(100vh - 2rem);
        overflow: auto;
        border-radius: var(--radius);
      }
      @media (max-width: 68rem) {
        :host {
          grid-template-columns: minmax(0, 1fr);
          gap: 0;
        }
        .rail {
          position: static;
          max-height: none;
        }
      }
    `,
  ];

  override render() {
    const { session } = this;
    return html`<div>
        <section aria-labelledby="choose">
          <div class="intro">
            <h2 id="choose" tabindex="-1">Choose three things</h2>
            <p class="soft">They are read where they are: nothing is uploaded, and nothing is changed.</p>
          </div>
          <choose-view .session=${session}></choose-view>
        </section>
        <section aria-labelledby="recipe">
          <div class="intro">
            <h2 id="recipe" tabindex="-1">Recipe</h2>
            <p class="soft">The defaults are sound. Change what you know you want changed.</p>
          </div>
          <recipe-view .session=${session}></recipe-view>
        </section>
        ${
          this.app.runs.length > 0
            ? html`<section aria-labelledby="runs">
                <div class="intro"><h2 id="runs">Earlier runs</h2></div>
                <runs-view .session=${session}></runs-view>
              </section>`
            : nothing
        }
      </div>
      <div class="rail"><start-panel .session=${session}></start-panel></div>`;
  }

  /** Brings a stage into view and hands it the focus. */
  show(stage: 'choose' | 'recipe'): void {
    const heading = this.renderRoot.querySelector<HTMLElement>(`#${stage}`);
    heading?.scrollIntoView({ block: 'start' });
    heading?.focus({ preventScroll: true });
  }
}
