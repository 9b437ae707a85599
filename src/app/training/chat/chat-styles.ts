import { css } from 'lit';

/** The conversation and the form under it. */
export const chatStyles = css`
  :host {
    display: block;
    grid-column: 1 / -1;
  }
  .panel,
  form,
  .turn {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    gap: 0.8rem;
  }
  .turn {
    gap: 0.5rem;
  }
  .head select {
    width: auto;
    flex: 0 1 22rem;
    min-width: 0;
  }
  h3 {
    margin-right: auto;
  }
  fieldset {
    border: 0;
    margin: 0;
    padding: 0;
    display: flex;
    flex-wrap: wrap;
    gap: 0.4rem 1.1rem;
    align-items: center;
    font-size: var(--small);
    min-width: 0;
  }
  legend {
    float: left;
    margin-right: 1rem;
    color: var(--ink-soft);
    padding: 0;
  }
  textarea {
    min-height: 4.5rem;
    resize: vertical;
  }
  label.blind {
    margin-right: auto;
  }
  .question,
  .system {
    white-space: pre-wrap;
    overflow-wrap: anywhere;
    border-left: 3px solid var(--accent);
    padding-left: 0.75rem;
  }
  .question {
    font-weight: 550;
  }
  .system {
    border-left-color: var(--line-strong);
    color: var(--ink-soft);
    font-size: var(--small);
  }
  /* Empty, it takes no gap. */
  correction-tray {
    display: contents;
  }
  .answers {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(min(14rem, 100%), 1fr));
    gap: 0.75rem;
  }
`;
