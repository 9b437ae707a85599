import { css } from 'lit';

export const appStyles = css`
  :host {
    min-height: 100vh;
    display: grid;
    grid-template-rows: auto 1fr auto;
  }
  header {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.75rem 1.25rem;
    padding: 0.8rem clamp(1rem, 4vw, 2.5rem);
    background: var(--surface);
    border-bottom: 1px solid var(--line);
  }
  .brand {
    display: flex;
    align-items: center;
    gap: 0.8rem;
    margin-right: auto;
  }
  .brand svg {
    width: 2.5rem;
    height: 2.5rem;
    fill: #1f4d4a;
  }
  .brand path {
    fill: none;
    stroke: #f4efe4;
    stroke-width: 5;
    stroke-linecap: round;
  }
  h1 {
    font-size: 1.25rem;
    line-height: 1.2;
    letter-spacing: -0.02em;
  }
  .brand p {
    font-size: var(--small);
    color: var(--ink-soft);
    line-height: 1.35;
  }
  nav ol {
    display: flex;
    flex-wrap: wrap;
    gap: 0.25rem;
  }
  nav .runs {
    margin-left: 0.5rem;
    padding-left: 0.5rem;
    border-left: 1px solid var(--line);
  }
  nav button {
    display: flex;
    align-items: center;
    gap: 0.5rem;
    border-color: transparent;
    background: none;
  }
  nav button:disabled {
    background: none;
    border-color: transparent;
  }
  nav button[aria-current] {
    background: var(--accent-soft);
    color: var(--accent-strong);
    font-weight: 650;
  }
  .digit {
    width: 1.4rem;
    height: 1.4rem;
    border-radius: 50%;
    border: 1.5px solid currentColor;
    font: 650 0.8rem/1.25rem var(--sans);
    text-align: center;
  }
  .device {
    max-width: 20rem;
  }
  .device button {
    display: flex;
    align-items: center;
    gap: 0.5rem;
    border-color: transparent;
    background: none;
    text-align: left;
    font-size: var(--tiny);
    font-weight: 450;
    color: var(--ink-soft);
    overflow-wrap: anywhere;
    text-decoration: underline dotted;
    text-underline-offset: 0.25em;
  }
  .device .dot {
    flex: none;
    width: 0.6rem;
    height: 0.6rem;
    border-radius: 50%;
    background: var(--tone, var(--line-strong));
  }
  .device.good {
    --tone: var(--good);
  }
  .device.warn {
    --tone: var(--warn);
  }
  .device.bad {
    --tone: var(--bad);
  }
  main {
    width: 100%;
    max-width: 84rem;
    margin: 0 auto;
    padding: 1.5rem clamp(1rem, 4vw, 2.5rem) 2rem;
  }
  footer {
    display: flex;
    flex-wrap: wrap;
    gap: 0.25rem 2rem;
    justify-content: center;
    padding: 1rem clamp(1rem, 4vw, 2.5rem) 1.5rem;
    font-size: var(--tiny);
    color: var(--ink-soft);
  }
  @media (max-width: 82rem) {
    .brand p {
      display: none;
    }
  }
  @media print {
    header,
    footer,
    page-notices {
      display: none;
    }
    main {
      max-width: none;
      padding: 0;
    }
  }
  @media (max-width: 40rem) {
    nav button {
      padding: 0.4rem 0.55rem;
    }
  }
`;
