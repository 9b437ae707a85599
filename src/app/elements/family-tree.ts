import { css, html, LitElement, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { safeText } from '../shared/safe-text.ts';
import { shared } from '../shared/styles.ts';

/** One of a family, with what came from it. */
export interface TreeNode {
  key: string;
  /** V1, V2, or what stands in their place. */
  badge: string;
  name: string;
  detail: string;
  /** Can be chosen: fires `chosen` with the key. */
  choosable: boolean;
  children: readonly TreeNode[];
}

/** The lineage as a nested list, with lines from each version to those made from it. */
@customElement('family-tree')
export class FamilyTree extends LitElement {
  @property({ attribute: false }) roots: readonly TreeNode[] = [];
  @property() chosen?: string | undefined;

  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
      ul ul {
        margin-left: 1rem;
        border-left: 2px solid var(--line);
      }
      ul ul > li {
        position: relative;
        padding-left: 1.1rem;
      }
      ul ul > li::before {
        content: '';
        position: absolute;
        left: 0;
        top: 1.5rem;
        width: 0.9rem;
        border-top: 2px solid var(--line);
      }
      /* The line ends with the last child. */
      ul ul > li:last-child::after {
        content: '';
        position: absolute;
        left: -2px;
        top: calc(1.5rem + 2px);
        bottom: 0;
        border-left: 2px solid var(--surface);
      }
      .node {
        display: grid;
        grid-template-columns: auto minmax(0, 1fr);
        gap: 0 0.6rem;
        align-items: center;
        width: 100%;
        padding: 0.45rem 0.5rem;
        text-align: left;
        border: 1px solid transparent;
        border-radius: var(--radius-small);
        background: none;
        font-weight: 400;
        min-height: 3rem;
      }
      button.node:hover {
        background: var(--sunken);
      }
      .node[aria-pressed='true'] {
        background: var(--accent-soft);
        border-color: var(--accent);
        color: var(--ink);
      }
      .badge {
        grid-row: span 2;
        min-width: 2.5rem;
        padding: 0.15rem 0.4rem;
        border: 1.5px solid var(--accent);
        border-radius: 1rem;
        color: var(--accent);
        background: var(--surface);
        font: 650 var(--tiny) / 1.4 var(--sans);
        text-align: center;
      }
      span.node .badge {
        border-color: var(--line-strong);
        color: var(--ink-soft);
      }
      .name {
        font-size: var(--small);
        font-weight: 600;
        overflow-wrap: anywhere;
      }
      .detail {
        font-size: var(--tiny);
        color: var(--ink-soft);
        overflow-wrap: anywhere;
      }
      @media (forced-colors: active) {
        [aria-pressed='true'] .detail {
          color: HighlightText;
        }
      }
    `,
  ];

  override render() {
    return this.#list(this.roots);
  }

  #list(nodes: readonly TreeNode[]): unknown {
    return html`<ul>
      ${nodes.map(
        (node) =>
          html`<li>
            ${this.#node(node)} ${node.children.length > 0 ? this.#list(node.children) : nothing}
          </li>`,
      )}
    </ul>`;
  }

  #node({ key, badge, name, detail, choosable }: TreeNode) {
    const inside = html`<span class="badge">${badge}</span><span class="name">${safeText(name)}</span
      ><span class="detail">${safeText(detail)}</span>`;
    if (!choosable) {
      return html`<span class="node">${inside}</span>`;
    }
    return html`<button
      type="button"
      class="node"
      aria-pressed=${this.chosen === key}
      @click=${() => this.dispatchEvent(new CustomEvent('chosen', { detail: key }))}
    >
      ${inside}
    </button>`;
  }
}
