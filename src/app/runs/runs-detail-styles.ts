import { css } from 'lit';

export const runDetailStyles = css`
  .panel {
    display: grid;
    gap: 1rem;
  }
  h3 {
    font-size: 1.125rem;
    overflow-wrap: anywhere;
  }
  h4 {
    font-size: var(--small);
    margin-bottom: 0.3rem;
  }
  .names {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(min(14rem, 100%), 1fr));
    gap: 0.75rem 1rem;
  }
  label {
    display: block;
    font-size: var(--tiny);
    color: var(--ink-soft);
  }
  textarea {
    resize: vertical;
  }
  button.small-primary {
    font-size: var(--small);
    min-height: 2.25rem;
    padding: 0.4rem 0.85rem;
  }
  .columns {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(min(16rem, 100%), 1fr));
    gap: 1rem 1.75rem;
  }
  .columns > div {
    min-width: 0;
  }
  dl {
    display: grid;
    gap: 0.35rem;
    font-size: var(--tiny);
    margin-bottom: 0.75rem;
  }
  .numbers div {
    display: flex;
    justify-content: space-between;
    gap: 1rem;
  }
  .numbers dd {
    text-align: right;
  }
  dt {
    color: var(--ink-soft);
  }
  dt span {
    color: var(--ink);
    overflow-wrap: anywhere;
  }
  code {
    font: 0.75rem/1.4 var(--mono);
    overflow-wrap: anywhere;
  }
  summary {
    cursor: pointer;
    font-size: var(--small);
    color: var(--accent);
    padding: 0.2rem 0;
  }
  details .row {
    margin-top: 0.6rem;
  }
  pre {
    margin: 0.5rem 0 0;
    padding: 0.75rem;
    max-height: 20rem;
    overflow: auto;
    font: var(--tiny) / 1.5 var(--mono);
    white-space: pre-wrap;
    overflow-wrap: anywhere;
    background: var(--sunken);
    border-radius: var(--radius-small);
  }
`;
