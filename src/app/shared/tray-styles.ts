import { css } from 'lit';

/** The tray: one bar that stays in view, and what is behind it. */
export const trayStyles = css`
  .panel {
    display: grid;
    gap: 0.6rem;
    padding: 0.8rem 1.25rem;
    border-left: 5px solid var(--accent);
  }
  .bar {
    display: flex;
    flex-wrap: wrap;
    gap: 0.5rem 1.5rem;
    align-items: center;
    justify-content: space-between;
  }
  .words {
    flex: 1 1 16rem;
    min-width: 0;
    overflow-wrap: anywhere;
  }
  h3:focus:not(:focus-visible) {
    outline: none;
  }
  h3 .soft {
    font-weight: 400;
  }
  .bad {
    color: var(--bad);
  }
  button.primary {
    font-size: var(--small);
    min-height: 2.5rem;
    padding: 0.4rem 1rem;
  }
  summary {
    cursor: pointer;
    font-size: var(--small);
    color: var(--accent);
    padding: 0.2rem 0;
  }
  .inside {
    display: grid;
    gap: 0.75rem;
    margin-top: 0.5rem;
    max-height: min(28rem, 42vh);
    overflow-y: auto;
    padding: 2px;
  }
  .share {
    font-size: var(--small);
    color: var(--ink-soft);
    max-width: 18rem;
  }
  .list {
    display: grid;
    gap: 0.6rem;
  }
  li {
    border-top: 1px solid var(--line);
    padding-top: 0.5rem;
    font-size: var(--small);
    overflow-wrap: anywhere;
  }
  .question {
    font-weight: 550;
  }
  .was del {
    color: var(--ink-soft);
  }
  .was,
  .answer {
    max-height: 10rem;
    overflow-y: auto;
  }
  .text {
    white-space: pre-wrap;
    unicode-bidi: isolate;
  }
  @media print {
    :host {
      display: none;
    }
  }
`;
