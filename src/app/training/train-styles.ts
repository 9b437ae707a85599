import { css } from 'lit';

export const trainStyles = css`
  :host {
    display: grid;
    gap: var(--gap);
  }
  .head {
    display: flex;
    flex-wrap: wrap;
    gap: 0.75rem 1.5rem;
    justify-content: space-between;
    align-items: center;
  }
  .head p {
    overflow-wrap: anywhere;
  }
  h2 {
    font-size: 1.5rem;
  }
  .figures {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(7.5rem, 1fr));
    gap: 0.75rem 1.25rem;
    padding: 0.9rem 1.25rem;
  }
  dt {
    font-size: var(--tiny);
    color: var(--ink-soft);
  }
  dd {
    font-size: 1.1875rem;
    font-weight: 600;
    letter-spacing: -0.01em;
    white-space: nowrap;
  }
  .charts {
    display: grid;
    grid-template-columns: repeat(2, minmax(0, 1fr));
    gap: var(--gap);
  }
  .large {
    grid-column: 1 / -1;
  }
  line-chart.panel {
    display: block;
    padding: 1rem 1.1rem 0.6rem;
    background: var(--surface);
  }
  section h3 {
    margin-bottom: 0.6rem;
  }
  @media (max-width: 44rem) {
    .charts {
      grid-template-columns: minmax(0, 1fr);
    }
    .figures {
      grid-template-columns: repeat(auto-fit, minmax(6rem, 1fr));
    }
  }
`;
