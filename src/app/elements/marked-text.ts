import { css, html } from 'lit';
import type { DiffPiece } from '../../comparison/word-diff.ts';
import { safeText } from '../shared/safe-text.ts';

/** What a text is compared with: what it should be, or only another one. */
export type MarkedAgainst = 'expected' | 'other';

/** How each mark is drawn, and named to those who do not see it. */
const MARKS = {
  expected: { new: ['del', 'wrong'], gone: ['ins', 'missing'] },
  other: { new: ['ins', 'added'], gone: ['del', 'gone'] },
} as const;

/** What the marks mean, where they are shown. */
export const marksLegend = (against: MarkedAgainst) =>
  against === 'expected'
    ? html`<del class="expected">wrong</del> <ins class="expected">missing</ins>`
    : html`<ins class="other">only in this version</ins> <del class="other">only in the first</del>`;

/**
 * A text with what is new in it and what is gone from it marked, by shape as well as color. Against what was expected,
 * wrong words are struck and missing ones outlined: what to delete and what to insert.
 */
export const markedText = (pieces: readonly DiffPiece[], against: MarkedAgainst) =>
  pieces.map(({ kind, text }) => {
    if (kind === 'same') {
      return safeText(text);
    }
    // White space at the end stays outside of the mark.
    const words = text.trimEnd();
    const rest = text.slice(words.length) || (kind === 'gone' ? ' ' : '');
    const [element, name] = MARKS[against][kind];
    const inside = html`<span class="only-heard">[${name}: </span>${safeText(words)}<span class="only-heard"
        >]</span
      >`;
    return element === 'del'
      ? html`<del class=${against}>${inside}</del>${rest}`
      : html`<ins class=${against}>${inside}</ins>${rest}`;
  });

export const markedStyles = css`
  ins,
  del {
    border-radius: 3px;
    padding: 0 0.15em;
    color: var(--ink);
    box-decoration-break: clone;
  }
  del.expected {
    background: var(--warn-soft);
    text-decoration: line-through 2px var(--warn);
  }
  ins.expected {
    border: 1.5px solid var(--accent);
    text-decoration: none;
  }
  ins.other {
    background: var(--added);
    text-decoration: underline 2px var(--good);
    text-underline-offset: 0.2em;
  }
  del.other {
    background: var(--missing);
    text-decoration: line-through var(--bad);
  }
`;
