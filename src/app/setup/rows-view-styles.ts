import { css } from 'lit';

export const rowsViewStyles = css`
  :host {
    display: block;
  }
  .panel {
    display: grid;
    gap: 1rem;
  }
  .head {
    justify-content: space-between;
  }
  h3:focus {
    outline: none;
  }
  .figures {
    display: grid;
    grid-template-columns: minmax(0, 1fr) minmax(0, 1.4fr);
    gap: 1.25rem;
  }
  dl {
    display: grid;
    grid-template-columns: auto 1fr;
    gap: 0.15rem 0.8rem;
    font-size: var(--small);
    align-content: start;
  }
  dt {
    color: var(--ink-soft);
  }
  form {
    display: grid;
    grid-template-columns: minmax(8rem, 1fr) auto auto;
    gap: 0.6rem;
    align-items: end;
  }
  label {
    display: grid;
    gap: 0.2rem;
    font-size: var(--small);
    color: var(--ink-soft);
  }
  .problem {
    color: var(--bad);
    overflow-wrap: anywhere;
  }
  ol {
    display: grid;
    gap: 0.5rem;
  }
  li {
    display: grid;
    gap: 0.4rem;
    padding: 0.7rem 0.85rem;
    background: var(--sunken);
    border-radius: var(--radius-small);
    min-width: 0;
  }
  li.out .text {
    text-decoration: line-through;
    color: var(--ink-soft);
  }
  .about {
    justify-content: space-between;
  }
  .about .row {
    gap: 0.35rem 0.6rem;
  }
  .badge {
    padding: 0 0.45rem;
    border: 1px solid var(--warn);
    border-radius: 1rem;
    color: var(--warn);
    background: var(--warn-soft);
  }
  textarea {
    font: var(--small) / 1.5 var(--mono);
    min-height: 12rem;
    resize: vertical;
  }
  textarea[aria-invalid='true'] {
    border-color: var(--bad);
  }
  code {
    white-space: nowrap;
  }
  .pages {
    justify-content: space-between;
  }
  @media (max-width: 40rem) {
    .figures,
    form {
      grid-template-columns: minmax(0, 1fr);
    }
  }
`;
