import type { CacheEntry } from '../model/base/cache/entry.ts';
import type { RunEvent } from './events.ts';

type Emit = (event: Extract<RunEvent, { type: 'phase' | 'note' }>) => void;

/** Callbacks for loading a base through its cache entry. */
export const loading = (cache: CacheEntry | undefined, emit: Emit) => ({
  cache,
  onProgress: (done: number, total: number) =>
    emit({ type: 'phase', phase: 'loading the base', done, total, unit: 'bytes' }),
  onCaching: (done: number, total: number) =>
    emit({ type: 'phase', phase: 'caching the base', done, total, unit: 'bytes' }),
  onNote: (text: string) => emit({ type: 'note', text }),
});
