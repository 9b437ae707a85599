import { css } from 'lit';

/** Tables of figures. */
export const figureTable = css`
  table.figures {
    width: 100%;
    border-collapse: collapse;
    font-size: var(--small);
  }
  .figures th {
    font-weight: 500;
    color: var(--ink-soft);
    text-align: right;
    vertical-align: bottom;
  }
  .figures th:first-child {
    text-align: left;
  }
  .figures th[scope='row'] {
    color: var(--ink);
    font-weight: 600;
    overflow-wrap: anywhere;
    min-width: 5rem;
  }
  .figures th,
  .figures td {
    padding: 0.3rem 0.4rem;
    border-bottom: 1px solid var(--line);
  }
  .figures th:first-child {
    padding-left: 0;
  }
  .figures td {
    text-align: right;
    white-space: nowrap;
  }
  .figures tbody tr:last-child > * {
    border-bottom: 0;
  }
  .best {
    font-weight: 650;
  }
  @media (max-width: 44rem) {
    table.figures {
      font-size: var(--tiny);
    }
    .figures th,
    .figures td {
      padding: 0.3rem 0.25rem;
    }
  }
  @media print {
    .panel {
      break-inside: avoid;
      box-shadow: none;
    }
  }
`;
