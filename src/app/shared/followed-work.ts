import type { Following } from '../../engine/watch.ts';
import { UserError } from '../../formats/user-error.ts';
import { showShare } from '../../formats/words.ts';

/** A long task with progress ("34%") that can be canceled. */
export class FollowedWork {
  readonly #tell: (share: string | undefined) => void;
  #running: AbortController | undefined;

  constructor(tell: (share: string | undefined) => void) {
    this.#tell = tell;
  }

  async do<T>(work: (following: Following) => Promise<T>): Promise<T> {
    const running = (this.#running = new AbortController());
    try {
      return await work({
        signal: running.signal,
        onProgress: (done, total) => this.#tell(showShare(done, total)),
      });
    } finally {
      this.#running = undefined;
      this.#tell(undefined);
    }
  }

  /** Ends it with `message` as its answer. */
  cancel(message: string): void {
    this.#running?.abort(new UserError(message));
  }
}
