import { css } from 'lit';

/** Questions and answers: columns where there is room, one below the other where there is not. */
export const tableStyles = css`
  h3 {
    font-size: 1.125rem;
    scroll-margin-top: 1rem;
  }
  h3:focus:not(:focus-visible) {
    outline: none;
  }
  .count {
    margin: 0.6rem 0 0.4rem;
  }
  .legend {
    float: right;
    margin-top: 0.6rem;
    color: var(--ink-soft);
  }
  .legend > * {
    margin-left: 0.4rem;
  }
  @media (max-width: 30rem) {
    .legend {
      float: none;
    }
  }
  .scroll {
    border: 1px solid var(--line);
    border-radius: var(--radius);
    box-shadow: var(--shadow);
  }
  table {
    width: 100%;
    border-collapse: collapse;
    table-layout: fixed;
    font-size: var(--small);
  }
  thead th {
    text-align: left;
    font-weight: 600;
    padding: 0.6rem 0.9rem;
    overflow-wrap: anywhere;
  }
  tbody th,
  td {
    text-align: left;
    vertical-align: top;
    font-weight: 400;
    padding: 0.8rem 0.9rem;
    border-top: 1px solid var(--line);
    min-width: 0;
  }
  td {
    border-left: 1px solid var(--line);
  }
  .number {
    display: inline-block;
    min-width: 1.6rem;
    color: var(--ink-soft);
    font-variant-numeric: tabular-nums;
    font-size: var(--tiny);
  }
  .tag {
    display: inline-block;
    margin-right: 0.25rem;
    font-size: 0.75rem;
    line-height: 1.5;
    padding: 0 0.45rem;
    border: 1px solid var(--line);
    border-radius: 1rem;
    color: var(--ink-soft);
    overflow-wrap: anywhere;
  }
  .tag.better {
    color: var(--good);
    border-color: currentColor;
  }
  .tag.worse {
    color: var(--bad);
    border-color: currentColor;
  }
  .tag.trained {
    color: var(--accent-strong);
    border-color: currentColor;
  }
  .text {
    white-space: pre-wrap;
    overflow-wrap: anywhere;
    unicode-bidi: isolate;
    max-height: 20rem;
    overflow-y: auto;
  }
  th .text {
    font-weight: 550;
    margin: 0.25rem 0;
  }
  th .expected {
    font-weight: 400;
    margin-top: 0;
  }
  .thoughts {
    font-size: var(--small);
    color: var(--ink-soft);
    margin-bottom: 0.35rem;
    padding-left: 0.6rem;
    border-left: 2px solid var(--line-strong);
  }
  .label {
    font-size: var(--tiny);
    color: var(--ink-soft);
  }
  .version {
    display: none;
    font-weight: 600;
  }
  .facts {
    font-size: var(--tiny);
    color: var(--ink-soft);
    margin: 0.35rem 0;
  }
  .vote {
    font-size: var(--tiny);
    min-height: 1.75rem;
    padding: 0.15rem 0.6rem;
  }
  .vote[aria-pressed='true'] {
    border-color: var(--accent);
    background: var(--accent-soft);
    color: var(--accent-strong);
    font-weight: 650;
  }
  .pager {
    justify-content: center;
    margin-top: 0.8rem;
  }
  .none {
    text-align: center;
  }
  @media screen and (max-width: 52rem) {
    table,
    tbody,
    tr,
    tbody th,
    td {
      display: block;
    }
    thead {
      position: absolute;
      width: 1px;
      height: 1px;
      overflow: hidden;
      clip-path: inset(50%);
    }
    td {
      border-left: 0;
      border-top: 1px dashed var(--line);
    }
    .version {
      display: block;
    }
  }
  @media print {
    compare-filter-view,
    .pager,
    .vote {
      display: none;
    }
    .scroll {
      overflow: visible;
      border: 0;
      box-shadow: none;
    }
    .text {
      max-height: none;
      overflow: visible;
    }
    tr {
      break-inside: avoid;
    }
    thead {
      display: table-header-group;
    }
  }
`;
