import { css, html } from 'lit';
import type { DiffPiece } from '../../comparison/word-diff.ts';
import { safeText } from '../shared/safe-text.ts';

/** A text with what is new in it and what is gone from it marked: by line and tint, and to a reader by name. */
export const markedText = (pieces: readonly DiffPiece[]) =>
  pieces.map(({ kind, text }) => {
    if (kind === 'same') {
      return safeText(text);
    }
    // White space at the end stays outside of the mark.
    const words = text.trimEnd();
    const rest = text.slice(words.length);
    return kind === 'new'
      ? html`<ins
            ><span class="only-heard">[added: </span>${safeText(words)}<span class="only-heard">]</span></ins
          >${rest}`
      : html`<del
            ><span class="only-heard">[missing: </span>${safeText(words)}<span class="only-heard"
              >]</span
            ></del
          >${rest || ' '}`;
  });

export const markedStyles = css`
  ins,
  del {
    border-radius: 3px;
    padding: 0 0.15em;
    color: var(--ink);
    box-decoration-break: clone;
  }
  ins {
    background: var(--added);
    text-decoration: underline;
    text-decoration-thickness: 2px;
    text-decoration-color: var(--good);
    text-underline-offset: 0.2em;
  }
  del {
    background: var(--missing);
    text-decoration: line-through;
    text-decoration-color: var(--bad);
  }
`;
