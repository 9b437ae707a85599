import '../elements/family-tree.ts';
import { css, html } from 'lit';
import { customElement } from 'lit/decorators.js';
import { SessionView } from '../shared/session-view.ts';
import { shared } from '../shared/styles.ts';
import { familyTrees } from './family.ts';

/** The family tree, from the base to the latest version; a run in it can be opened. */
@customElement('lineage-view')
export class LineageView extends SessionView {
  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
      h3 {
        margin-bottom: 0.2rem;
      }
      p {
        margin-bottom: 0.5rem;
      }
    `,
  ];

  protected override get stores() {
    return [this.session.store, this.session.lineage.store];
  }

  override render() {
    const { lineage } = this.session;
    const { family, selected } = lineage.store.state;
    const chosen = family.find(({ run }) => run !== undefined && run === selected)?.key;
    return html`<section class="panel" aria-labelledby="family">
      <h3 id="family">Family tree</h3>
      <p class="soft small">
        Files are recognized by their hashes, whatever their names. Choose a run to see its details.
      </p>
      <family-tree
        .roots=${familyTrees(family, this.app.runs)}
        .chosen=${chosen}
        @chosen=${({ detail }: CustomEvent<string>) =>
          lineage.select(detail === chosen ? undefined : family.find(({ key }) => key === detail)?.run)}
      ></family-tree>
    </section>`;
  }
}
