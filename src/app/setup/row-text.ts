import { css, html } from 'lit';
import type { RowsFacts } from '../../engine/protocol/protocol.ts';
import { safeText } from '../shared/safe-text.ts';

/** A row's text: trained tokens are tinted, underlined and, to a reader, announced. */
export const rowText = (pieces: RowsFacts['preview'][number]['pieces'], label: string) =>
  html`<span class="text" tabindex="0" role="group" aria-label=${label}
    >${pieces.map(({ text, trained }) => (trained ? html`<mark>${safeText(text)}</mark>` : safeText(text)))}</span
  >`;

export const rowTextStyles = css`
  .text {
    font: var(--small) / 1.65 var(--mono);
    white-space: pre-wrap;
    overflow-wrap: anywhere;
    unicode-bidi: isolate;
    max-height: 16rem;
    overflow: auto;
  }
  mark {
    background: var(--trained);
    color: var(--ink);
    text-decoration: underline;
    text-decoration-color: var(--trained-line);
    text-decoration-thickness: 2px;
    text-underline-offset: 0.25em;
    text-decoration-skip-ink: none;
  }
`;
