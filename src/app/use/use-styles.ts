import { css } from 'lit';

export const useStyles = css`
  :host {
    display: grid;
    gap: var(--gap);
  }
  :host > * {
    min-width: 0;
  }
  .head {
    display: flex;
    flex-wrap: wrap;
    gap: 0.75rem 1.5rem;
    justify-content: space-between;
    align-items: start;
  }
  .head p {
    overflow-wrap: anywhere;
    max-width: 46rem;
  }
  h2:focus:not(:focus-visible) {
    outline: none;
  }
  .panel {
    display: grid;
    gap: 1.1rem;
  }
  fieldset {
    border: 0;
    margin: 0;
    padding: 0;
    min-width: 0;
    display: grid;
    gap: 0.5rem;
  }
  legend {
    padding: 0;
    margin-bottom: 0.4rem;
    font-weight: 600;
  }
  .option {
    display: grid;
    grid-template-columns: 1.1rem minmax(0, 1fr) auto;
    gap: 0.1rem 0.7rem;
    align-items: center;
    padding: 0.65rem 0.85rem;
    border: 1px solid var(--line);
    border-radius: var(--radius-small);
  }
  .option:has(:checked) {
    border-color: var(--accent);
    background: var(--accent-soft);
  }
  .option label {
    font-weight: 550;
  }
  .option p {
    grid-column: 2 / -1;
  }
  input[type='radio'] {
    width: 1.1rem;
    min-height: 0;
    height: 1.1rem;
    margin: 0;
    accent-color: var(--accent);
  }
  .type {
    display: grid;
    gap: 0.3rem;
    max-width: 30rem;
    font-weight: 600;
  }
  .type select {
    font-weight: 400;
  }
  .onto label {
    display: grid;
    grid-template-columns: 1.1rem minmax(0, 1fr);
    gap: 0.7rem;
    font-size: var(--small);
  }
  pre {
    margin: 0;
    padding: 0.6rem 0.8rem;
    overflow-x: auto;
    border-radius: var(--radius-small);
    background: var(--sunken);
    font: 0.8125rem/1.5 var(--mono);
  }
  .ended {
    display: grid;
    gap: 0.6rem;
  }
  /* The buttons stay in view; what came of them is read in its place. */
  @media (min-height: 40rem) {
    .where:not(:has(.ended notice-bar)) {
      position: sticky;
      bottom: 0.5rem;
      z-index: 1;
      padding-block: 0.9rem;
      gap: 0.6rem;
    }
    .where .ended:empty {
      margin-top: -0.6rem;
    }
  }
  /* On a phone it leaves most of the window to what it is about. */
  @media (min-height: 40rem) and (max-width: 30rem) {
    .where:not(:has(.ended notice-bar)) {
      padding: 0.6rem 0.8rem;
      gap: 0.35rem;
    }
    .where h3 {
      font-size: var(--small);
    }
    .where p {
      font-size: var(--small);
    }
    .where .actions {
      flex-wrap: nowrap;
      gap: 0.5rem;
    }
    .where .actions button {
      flex: 1;
      padding: 0.4rem 0.5rem;
      font-size: var(--small);
    }
  }
  @media (forced-colors: active) {
    .option:has(:checked) {
      border-color: Highlight;
    }
  }
`;
