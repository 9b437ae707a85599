/** The operation to fail, and how; see faults.mjs. */
export interface Fault {
  /** Only paths under this folder count. */
  under: string;
  kind?: 'write' | 'read';
  /** Number of the operation, from 1; 0 strikes none. */
  at?: number;
  fault?: string;
  /** All later operations that need space are refused too. */
  lasting?: boolean;
  /** Number of consecutive operations to fail; default 1. */
  times?: number;
}

export interface Injected {
  /** The operations so far. */
  trace: { op: string; path: string }[];
  undo(): void;
}

export function injectFaults(fault: Fault): Injected;
