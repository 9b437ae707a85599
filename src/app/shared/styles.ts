import { css } from 'lit';

/** What every shadow root of the page shares: text, buttons, fields, focus. */
export const shared = css`
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }
  :host([hidden]),
  [hidden] {
    display: none !important;
  }
  h1,
  h2,
  h3,
  h4,
  p,
  ul,
  ol,
  dl,
  dd,
  figure {
    margin: 0;
    padding: 0;
  }
  ul,
  ol {
    list-style: none;
  }
  h2 {
    font-size: 1.25rem;
    line-height: 1.3;
    letter-spacing: -0.01em;
  }
  h3 {
    font-size: 1rem;
    line-height: 1.4;
  }
  .soft {
    color: var(--ink-soft);
  }
  .small {
    font-size: var(--small);
  }
  .numbers {
    font-variant-numeric: tabular-nums;
  }
  .only-heard {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  .panel {
    background: var(--surface);
    border: 1px solid var(--line);
    border-radius: var(--radius);
    box-shadow: var(--shadow);
    padding: 1.25rem;
  }
  /* A shade at each edge behind which there is more; what lies at the edge itself covers it. */
  .scroll {
    --cover: var(--surface) 30%, transparent;
    --shade: color-mix(in srgb, var(--ink) 28%, transparent), transparent;
    overflow-x: auto;
    background:
      linear-gradient(to right, var(--cover)) local left / 2.5rem 100% no-repeat,
      linear-gradient(to left, var(--cover)) local right / 2.5rem 100% no-repeat,
      linear-gradient(to right, var(--shade)) scroll left / 0.7rem 100% no-repeat,
      linear-gradient(to left, var(--shade)) scroll right / 0.7rem 100% no-repeat,
      var(--surface);
  }
  button,
  .button {
    font: inherit;
    font-size: var(--small);
    font-weight: 550;
    line-height: 1.3;
    min-height: 2.25rem;
    padding: 0.4rem 0.85rem;
    border: 1px solid var(--line-strong);
    border-radius: var(--radius-small);
    background: var(--surface);
    color: var(--ink);
    cursor: pointer;
  }
  button:hover:not(:disabled, [aria-disabled='true']) {
    border-color: var(--accent);
    color: var(--accent-strong);
  }
  button:disabled,
  button[aria-disabled='true'] {
    cursor: not-allowed;
    color: var(--ink-soft);
    border-color: var(--line);
    background: var(--sunken);
  }
  button.primary {
    font-size: 1rem;
    font-weight: 650;
    min-height: 3rem;
    padding: 0.6rem 1.4rem;
  }
  button.primary:not(:disabled, [aria-disabled='true']) {
    background: var(--accent);
    border-color: var(--accent);
    color: var(--on-accent);
  }
  button.primary:hover:not(:disabled, [aria-disabled='true']) {
    background: var(--accent-strong);
    border-color: var(--accent-strong);
    color: var(--on-accent);
  }
  button.link {
    border: 0;
    background: none;
    padding: 0.2rem 0;
    min-height: 1.75rem;
    font-weight: 450;
    color: var(--accent);
    text-decoration: underline;
    text-underline-offset: 0.2em;
  }
  button.link:disabled {
    color: var(--ink-soft);
    text-decoration: none;
  }
  /* Within a line of text. */
  :is(p, dd, span) > button.link {
    padding-block: 0;
    min-height: 0;
  }
  :focus-visible {
    outline: 3px solid var(--accent);
    outline-offset: 2px;
  }
  input:not([type='checkbox'], [type='file']),
  select,
  textarea {
    font: inherit;
    font-size: var(--small);
    width: 100%;
    min-height: 2.25rem;
    padding: 0.35rem 0.6rem;
    border: 1px solid var(--line-strong);
    border-radius: var(--radius-small);
    background: var(--surface);
    color: var(--ink);
  }
  /* Of a bar that stays above the window's lower edge: what it lies over does not show again below it. */
  .in-view {
    position: relative;
  }
  .in-view::after {
    content: '';
    position: absolute;
    inset: calc(100% + 1px) -1px auto;
    height: 0.5rem;
    background: var(--paper);
  }
  input:not([type='checkbox'], [type='radio'], [type='range']):disabled,
  select:disabled,
  textarea:disabled {
    background: var(--sunken);
    border-color: var(--line);
    color: var(--ink-soft);
    cursor: not-allowed;
    opacity: 1;
  }
  label:has(:disabled) {
    color: var(--ink-soft);
    cursor: not-allowed;
  }
  textarea {
    vertical-align: top;
  }
  :is(input, select, textarea)[aria-invalid='true'] {
    border-color: var(--bad);
    box-shadow: inset 0 0 0 1px var(--bad);
  }
  input[type='checkbox'] {
    accent-color: var(--accent);
    width: 1.1rem;
    height: 1.1rem;
    margin: 0;
    flex: none;
  }
  label.check {
    display: flex;
    align-items: center;
    gap: 0.55rem;
    font-size: var(--small);
  }
  .row {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.6rem;
  }
  /* What will say something takes no gap before it does. */
  .row > :is([role='status'], [aria-live]):empty {
    position: absolute;
  }
  progress {
    appearance: none;
    width: 100%;
    height: 0.6rem;
    border: 0;
    border-radius: 1rem;
    overflow: hidden;
    background: var(--line);
  }
  progress::-webkit-progress-bar {
    background: var(--line);
  }
  progress::-webkit-progress-value {
    background: var(--accent);
  }
  progress::-moz-progress-bar {
    background: var(--accent);
  }
  /* All backgrounds would become that of the page, and nothing of the bar be seen. */
  @media (forced-colors: active) {
    progress {
      forced-color-adjust: none;
      border: 1px solid CanvasText;
    }
    progress,
    progress::-webkit-progress-bar {
      background: Canvas;
    }
    progress::-webkit-progress-value {
      background: Highlight;
    }
    progress::-moz-progress-bar {
      background: Highlight;
    }
    button:disabled,
    button[aria-disabled='true'],
    :disabled,
    label:has(:disabled) {
      color: GrayText;
      border-color: GrayText;
    }
    /* Without the page's own backgrounds nothing else would tell them from the others. */
    button.primary:not(:disabled, [aria-disabled='true']),
    button[aria-current],
    button[aria-pressed='true'] {
      forced-color-adjust: none;
      border-color: Highlight !important;
      background: Highlight !important;
      color: HighlightText !important;
    }
  }
  .hidden-character {
    font: 600 0.75em var(--mono);
    padding: 0 0.25em;
    border: 1px solid var(--warn);
    border-radius: 3px;
    color: var(--warn);
    background: var(--warn-soft);
  }
  @media (prefers-reduced-motion: reduce) {
    * {
      animation: none !important;
      transition: none !important;
    }
  }
`;
