/** What is struck, and how; see faults.mjs. */
export interface Fault {
  /** Only what lies under this folder counts. */
  under: string;
  kind?: 'write' | 'read';
  /** Number of the operation, from 1; 0 strikes none. */
  at?: number;
  fault?: string;
  /** All later operations that need room are refused as well. */
  lasting?: boolean;
  /** How many operations in a row are struck; one, unless told. */
  times?: number;
}

export interface Injected {
  /** The operations so far. */
  trace: { op: string; path: string }[];
  undo(): void;
}

export function injectFaults(fault: Fault): Injected;
