import { css, html, LitElement, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { GroupChange } from '../../comparison/headline.ts';
import type { Group } from '../../comparison/scores.ts';
import type { TestComparison, TestDetail } from '../../engine/protocol/comparison.ts';
import { safeText } from '../shared/safe-text.ts';
import { shared } from '../shared/styles.ts';
import { figureTable } from './compare-styles.ts';
import { percent, points } from './comparison.ts';

/** Scores by topic and by difficulty. */
@customElement('compare-groups-view')
export class CompareGroupsView extends LitElement {
  @property({ attribute: false }) detail!: TestDetail;
  @property({ attribute: false }) comparison?: TestComparison | undefined;

  static override styles = [
    shared,
    css`
      /* Empty, it takes no gap. */
      :host {
        display: contents;
      }
      .groups {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr));
        gap: var(--gap);
      }
      section {
        min-width: 0;
      }
      h3 {
        margin-bottom: 0.4rem;
      }
      h3 .soft {
        font-weight: 400;
      }
      .fell {
        color: var(--bad);
        font-weight: 600;
      }
      .rose {
        color: var(--good);
        font-weight: 600;
      }
    `,
    figureTable,
  ];

  override render() {
    const { versions } = this.detail;
    const groups = [
      this.#groups(
        'topics',
        'By topic',
        versions.map(({ topics }) => topics),
        this.comparison?.topics ?? [],
      ),
      this.#groups(
        'difficulties',
        'By difficulty',
        versions.map(({ difficulties }) => difficulties),
        this.comparison?.difficulties ?? [],
      ),
    ];
    return groups.every((group) => group === nothing) ? nothing : html`<div class="groups">${groups}</div>`;
  }

  #groups(
    id: string,
    heading: string,
    groups: readonly (readonly Group[])[],
    changes: readonly GroupChange[],
  ) {
    const names = [...new Set(groups.flatMap((list) => list.map(({ name }) => name)))];
    // Nothing to group by where no question names any.
    if (names.every((name) => name === '')) {
      return nothing;
    }
    const of = (version: number, name: string) =>
      groups[version]?.find((group) => group.name === name)?.summary;
    // As in the headline: exact matches where there are any at all.
    const exact = groups.some((list) => list.some(({ summary }) => summary.exactMatches > 0));
    return html`<section class="panel" aria-labelledby=${id}>
      <h3 id=${id}>${heading} <span class="soft small">· ${exact ? 'exact matches' : 'token F1'}</span></h3>
      <div class="scroll" tabindex="0" role="group" aria-labelledby=${id}>
        <table class="figures numbers">
          <thead>
            <tr>
              <th scope="col">${heading.slice(3, 4).toUpperCase() + heading.slice(4)}</th>
              <th scope="col">Questions</th>
              ${this.detail.record.versions.map(({ name }) => html`<th scope="col">${safeText(name)}</th>`)}
              ${changes.length > 0 ? html`<th scope="col">Difference</th>` : nothing}
            </tr>
          </thead>
          <tbody>
            ${names.map(
              (name) =>
                html`<tr>
                  <th scope="row">${name === '' ? 'not named' : safeText(name)}</th>
                  <td>${Math.max(...groups.map((_, v) => of(v, name)?.questions ?? 0))}</td>
                  ${groups.map((_, v) => {
                    const summary = of(v, name);
                    return html`<td>${percent(exact ? summary?.exactRate : summary?.tokenF1)}</td>`;
                  })}
                  ${changes.length > 0 ? this.#change(changes.find((change) => change.name === name)) : nothing}
                </tr>`,
            )}
          </tbody>
        </table>
      </div>
    </section>`;
  }

  #change(change: GroupChange | undefined) {
    if (!change) {
      return html`<td>–</td>`;
    }
    const { difference } = change;
    const [kind, mark] = difference > 0 ? ['rose', '↑ '] : difference < 0 ? ['fell', '↓ '] : ['', ''];
    return html`<td class=${kind}><span aria-hidden="true">${mark}</span>${points(difference)}</td>`;
  }
}
