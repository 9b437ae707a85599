import { describe, expect, it } from 'vitest';
import { Asking } from '../../../src/app/shared/asking.ts';
import type { Answer } from '../../../src/engine/protocol/protocol.ts';
import { UserError } from '../../../src/formats/user-error.ts';

/** A question that the engine never answers, unless it is canceled. */
const never = (signal: AbortSignal) =>
  new Promise<Answer<string>>((resolve, reject) =>
    signal.addEventListener('abort', () => {
      const { reason } = signal as { reason: Error };
      if (reason instanceof UserError) {
        resolve({ ok: false, sentence: reason.message });
      } else {
        reject(reason);
      }
    }),
  );
const yes = { ok: true, value: 'yes' } as const;

describe('questions to the engine', () => {
  it('end where another of their key takes their place, and those of other keys do not', async () => {
    const asking = new Asking<string>();
    let aborted = false;
    const first = asking.ask('train', (signal) => {
      signal.addEventListener('abort', () => (aborted = true));
      return never(signal);
    });
    let other: AbortSignal;
    void asking.ask('base', (signal) => never((other = signal)));
    expect(await asking.ask('train', async () => yes)).toEqual(yes);
    expect(await first).toBeUndefined();
    expect(aborted).toBe(true);
    expect(other!.aborted).toBe(false);
  });

  it('drop an answer that comes after another question', async () => {
    const asking = new Asking<string>();
    let answer: (value: Answer<string>) => void = () => undefined;
    const first = asking.ask<string>('train', () => new Promise((resolve) => (answer = resolve)));
    const second = asking.ask('train', async () => yes);
    answer(yes);
    expect(await first).toBeUndefined();
    expect(await second).toEqual(yes);
  });

  it('are canceled with a message, and dropped without one', async () => {
    const asking = new Asking<string>();
    const canceled = asking.ask('train', never);
    asking.cancel('train', new UserError('a.jsonl: canceled.'));
    expect(await canceled).toEqual({ ok: false, sentence: 'a.jsonl: canceled.' });
    const dropped = asking.ask('train', never);
    asking.drop('train');
    expect(await dropped).toBeUndefined();
    // Nothing is asked any more.
    asking.cancel('train', new UserError('too late'));
  });

  it('let a bug through', async () => {
    await expect(new Asking().ask('train', () => Promise.reject(new Error('bug')))).rejects.toThrow('bug');
  });
});
