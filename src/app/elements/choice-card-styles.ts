import { css } from 'lit';

export const cardStyles = css`
  .card {
    height: 100%;
    display: flex;
    flex-direction: column;
    gap: 0.6rem;
    padding: 1.25rem;
    background: var(--surface);
    border: 1.5px dashed var(--line-strong);
    border-radius: var(--radius);
    transition: border-color 120ms;
  }
  .card.good,
  .card.busy {
    border: 1.5px solid var(--line);
    box-shadow: var(--shadow);
  }
  .card.bad {
    border: 1.5px solid var(--bad);
  }
  .card.over {
    border: 1.5px solid var(--accent);
    background: var(--accent-soft);
  }
  .quiet {
    padding: 0.9rem 1.1rem;
    background: none;
    border-width: 1px;
    border-color: var(--line);
  }
  header {
    display: flex;
    align-items: center;
    gap: 0.65rem;
  }
  h3 {
    font-size: 1.0625rem;
  }
  .quiet h3 {
    font-size: var(--small);
  }
  h3 .soft {
    font-weight: 400;
  }
  .number {
    flex: none;
    width: 1.75rem;
    height: 1.75rem;
    border-radius: 50%;
    border: 1.5px solid var(--accent);
    color: var(--accent);
    font: 650 0.9375rem/1.65rem var(--sans);
    text-align: center;
  }
  .good .number {
    background: var(--accent);
    color: var(--on-accent);
  }
  .bad .number {
    border-color: var(--bad);
    color: var(--bad);
  }
  .name {
    font-family: var(--mono);
    font-size: var(--small);
    overflow-wrap: anywhere;
    unicode-bidi: isolate;
  }
  .problem {
    color: var(--bad);
    font-size: var(--small);
    overflow-wrap: anywhere;
  }
  dl {
    display: grid;
    gap: 0.2rem;
    font-size: var(--small);
  }
  dl div {
    display: flex;
    justify-content: space-between;
    gap: 1rem;
  }
  dt {
    color: var(--ink-soft);
    flex: none;
  }
  dd {
    text-align: right;
    overflow-wrap: anywhere;
    min-width: 0;
  }
  .long {
    display: block;
  }
  .long dt {
    margin-top: 0.35rem;
  }
  .long dd {
    margin: 0;
    text-align: left;
  }
  summary {
    cursor: pointer;
    list-style: none;
  }
  summary .link {
    color: var(--accent);
    text-decoration: underline;
  }
  details[open] .beginning {
    display: none;
  }
  footer {
    margin-top: auto;
    padding-top: 0.4rem;
  }
`;
