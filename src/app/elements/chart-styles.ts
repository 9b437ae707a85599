import { css } from 'lit';

/** The caption, the plot and the slider over it. */
export const chartStyles = css`
  :host {
    display: block;
    min-width: 0;
  }
  figcaption {
    display: flex;
    flex-wrap: wrap;
    gap: 0.2rem 1rem;
    align-items: baseline;
    margin-bottom: 0.4rem;
    font-size: var(--small);
  }
  h3 {
    font-size: var(--small);
    margin-right: auto;
  }
  .key {
    display: inline-flex;
    align-items: center;
    gap: 0.4rem;
    color: var(--ink-soft);
  }
  .key b {
    color: var(--ink);
    font-weight: 600;
  }
  .key svg {
    width: 1.4rem;
    height: 0.5rem;
    stroke: currentColor;
    stroke-width: 2.5;
  }
  .frame {
    position: relative;
  }
  .plot {
    min-width: 0;
    overflow: hidden;
  }
  /* The slider itself is not seen: the crosshair shows where it is, the frame that it has the focus. */
  input[type='range'] {
    position: absolute;
    inset: auto 0 0 64px;
    width: auto;
    opacity: 0;
    pointer-events: none;
  }
  .frame:has(input:focus-visible) {
    outline: 3px solid var(--accent);
    outline-offset: 2px;
    border-radius: 2px;
  }
`;
