import { afterAll, vi } from 'vitest';

// Files that share a process share its clock too: a device of the next one waits for real time.
afterAll(() => void vi.useRealTimers());
