import '../elements/line-chart.ts';
import { css, html, nothing } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import { showNumber } from '../../formats/words.ts';
import { safeText } from '../shared/safe-text.ts';
import { SessionView } from '../shared/session-view.ts';
import { shared } from '../shared/styles.ts';
import { type LossKind, lossPoints, MAX_OVERLAID, overlaid } from './run-losses.ts';

/** Losses of any runs in one plot. */
@customElement('runs-overlay-view')
export class RunsOverlayView extends SessionView {
  /** Ids of the runs in the plot; undefined: the latest two. */
  @state() private chosen: readonly string[] | undefined;
  @state() private kind: LossKind = 'loss';

  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
      .panel {
        display: grid;
        gap: 0.8rem;
      }
      fieldset {
        border: 0;
        margin: 0;
        padding: 0;
        min-width: 0;
        display: flex;
        flex-wrap: wrap;
        gap: 0.3rem 1.2rem;
      }
      legend {
        padding: 0;
        margin-bottom: 0.3rem;
        font-size: var(--tiny);
        color: var(--ink-soft);
      }
      label.check {
        min-width: 0;
        overflow-wrap: anywhere;
      }
      select {
        width: auto;
      }
    `,
  ];

  override render() {
    const runs = this.app.runs.filter((run) => lossPoints(run, this.kind).length > 0);
    if (this.app.runs.every((run) => lossPoints(run, 'loss').length === 0)) {
      return nothing;
    }
    const ticked = this.chosen ?? runs.slice(0, 2).map(({ id }) => id);
    const shown = runs.filter(({ id }) => ticked.includes(id));
    return html`<section class="panel" aria-labelledby="losses">
      <div class="row">
        <h3 id="losses">Compare losses</h3>
        <select
          aria-label="Which loss"
          @change=${(event: Event) => (this.kind = (event.target as HTMLSelectElement).value as LossKind)}
        >
          <option value="loss">Training loss</option>
          <option value="eval_loss">Eval loss</option>
        </select>
      </div>
      <fieldset>
        <legend>Runs in the plot (at most ${MAX_OVERLAID})</legend>
        ${runs.map(
          ({ id, name }) =>
            html`<label class="check"
              ><input
                type="checkbox"
                .checked=${ticked.includes(id)}
                ?disabled=${!ticked.includes(id) && shown.length >= MAX_OVERLAID}
                @change=${(event: Event) => {
                  const others = ticked.filter((other) => other !== id);
                  this.chosen = (event.target as HTMLInputElement).checked ? [...others, id] : others;
                }}
              /><span>${safeText(name)}</span></label
            >`,
        )}
      </fieldset>
      ${
        shown.length > 0
          ? html`<line-chart
              heading=${this.kind === 'loss' ? 'Training loss by step' : 'Eval loss by step'}
              size="large"
              .format=${showNumber}
              .series=${overlaid(shown, this.kind)}
            ></line-chart>`
          : html`<p class="soft small">
              ${runs.length > 0 ? 'Tick a run to see its losses.' : 'No run has logged this loss.'}
            </p>`
      }
    </section>`;
  }
}
