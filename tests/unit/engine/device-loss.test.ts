import { expect, it } from 'vitest';
import { type Attempt, recovering, type Recovery } from '../../../src/engine/runs/device-loss.ts';
import { UserError } from '../../../src/formats/user-error.ts';
import type { Gpu } from '../../../src/gpu/device.ts';
import { OutOfMemoryError } from '../../../src/run/plan/memory-plan.ts';

const MINUTE = 60_000;

class FakeGpu {
  readonly name = 'Tiny GPU';
  readonly errors: string[] = [];
  outOfMemory = false;
  closed = false;
  readonly lost: Promise<GPUDeviceLostInfo>;
  lose!: (message: string) => void;

  constructor() {
    this.lost = new Promise((resolve) => {
      this.lose = (message) => resolve({ message, reason: 'unknown' } as GPUDeviceLostInfo);
    });
  }

  close(): void {
    this.closed = true;
  }
}

/** A clock that advances only by sleeping, and devices to hand out; the first `refusals` requests return none. */
function bench(refusals = 0) {
  const gpus: FakeGpu[] = [];
  const notes: string[] = [];
  const stop = new AbortController();
  const clock = { now: 0, requests: 0 };
  const recovery: Recovery = {
    request: () => {
      if (clock.requests++ < refusals) {
        return Promise.resolve(undefined);
      }
      const gpu = new FakeGpu();
      gpus.push(gpu);
      return Promise.resolve(gpu as unknown as Gpu);
    },
    note: (text) => notes.push(text),
    now: () => clock.now,
    sleep: async (ms) => {
      // Everything that can settle does so first.
      await new Promise((resolve) => setTimeout(resolve, 2));
      clock.now += ms;
    },
    signal: stop.signal,
  };
  return { gpus, notes, stop, clock, recovery };
}

const never = () => new Promise<never>(() => undefined);

it('hands on what the work gives, and closes its device', async () => {
  const { gpus, recovery } = bench();
  const work = async ({ openGpu }: Attempt) => (await openGpu()).name;
  expect(await recovering(work, recovery)).toBe('Tiny GPU');
  expect(gpus.map((gpu) => gpu.closed)).toEqual([true]);
});

it('does the work again on a new device where the device is lost and a call to it hangs', async () => {
  const { gpus, notes, recovery } = bench();
  const gone: AbortSignal[] = [];
  const work = async (attempt: Attempt) => {
    gone.push(attempt.gone);
    await attempt.openGpu();
    if (gpus.length === 2) {
      return 'done';
    }
    gpus[0]!.lose('the driver was reset');
    return never();
  };
  expect(await recovering(work, recovery)).toBe('done');
  expect(gone.map((signal) => signal.aborted)).toEqual([true, false]);
  expect(gpus.map((gpu) => gpu.closed)).toEqual([true, true]);
  expect(notes).toEqual(['Tiny GPU was lost (the driver was reset); resuming from the last checkpoint.']);
});

it('knows a loss behind the error of a call, which may come before the loss is told', async () => {
  const { gpus, recovery } = bench();
  const work = async ({ openGpu }: Attempt) => {
    await openGpu();
    if (gpus.length === 2) {
      return 'done';
    }
    setTimeout(() => gpus[0]!.lose('gone'), 1);
    throw new Error('mapAsync failed');
  };
  expect(await recovering(work, recovery)).toBe('done');
});

it('takes memory that ran out in mid-run for a loss', async () => {
  const { gpus, notes, recovery } = bench();
  const work = async ({ openGpu }: Attempt) => {
    await openGpu();
    if (gpus.length === 2) {
      return 'done';
    }
    gpus[0]!.outOfMemory = true;
    throw new Error('the buffer is invalid');
  };
  expect(await recovering(work, recovery)).toBe('done');
  expect(notes).toEqual(['Tiny GPU was lost (too little memory); resuming from the last checkpoint.']);
});

it('leaves too little memory at the start to the user, and takes it for a loss after one', async () => {
  const refused = bench();
  const tooLittle = async ({ openGpu }: Attempt): Promise<string> => {
    await openGpu();
    throw new OutOfMemoryError('GPU memory: this run needs more.');
  };
  await expect(recovering(tooLittle, refused.recovery)).rejects.toThrow('GPU memory: this run needs more.');
  expect(refused.gpus).toHaveLength(1);

  const { gpus, recovery } = bench();
  const work = async (attempt: Attempt) => {
    if (gpus.length === 1) {
      return tooLittle(attempt);
    }
    await attempt.openGpu();
    if (gpus.length === 3) {
      return 'done';
    }
    gpus[0]!.lose('gone');
    return never();
  };
  expect(await recovering(work, recovery)).toBe('done');
});

it('stops at the third loss within ten minutes, with the reason and what to lower', async () => {
  const { gpus, recovery } = bench();
  const work = async ({ openGpu }: Attempt) => {
    await openGpu();
    gpus.at(-1)!.lose('hung');
    return never();
  };
  const error = await recovering(work, recovery).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(UserError);
  expect((error as Error).message).toBe(
    'Tiny GPU: lost three times within ten minutes (hung); lower training.max_seq_length or lora.r, or close other programs that use the GPU, then resume from the last checkpoint.',
  );
  expect(gpus).toHaveLength(3);
});

it('recovers if losses are further apart', async () => {
  const { gpus, clock, recovery } = bench();
  const work = async ({ openGpu }: Attempt) => {
    await openGpu();
    if (gpus.length === 8) {
      return 'done';
    }
    clock.now += 4 * MINUTE + 59_000;
    gpus.at(-1)!.lose('hung');
    return never();
  };
  expect(await recovering(work, recovery)).toBe('done');
});

it('asks again for an adapter that is refused, and says so once', async () => {
  const { notes, clock, recovery } = bench(20);
  expect(await recovering(async ({ openGpu }) => (await openGpu()).name, recovery)).toBe('Tiny GPU');
  expect(clock.requests).toBe(21);
  expect(notes).toEqual(['The browser offers no GPU at the moment; retrying for three minutes.']);
});

it('gives up on an adapter after three minutes', async () => {
  const { clock, recovery } = bench(1000);
  await expect(recovering(async ({ openGpu }) => (await openGpu()).name, recovery)).rejects.toThrow(
    /^The browser has offered no GPU for three minutes; .*, then resume from the last checkpoint\.$/,
  );
  expect(clock.now).toBe(3 * MINUTE);
});

it('hands on other errors at once, and refused calls as a bug', async () => {
  const wrong = bench();
  const error = new UserError('train.jsonl, line 3: wrong.');
  await expect(recovering(() => Promise.reject(error), wrong.recovery)).rejects.toBe(error);
  expect(wrong.clock.now).toBe(0);

  const { gpus, recovery } = bench();
  const work = async ({ openGpu }: Attempt) => {
    await openGpu();
    gpus[0]!.errors.push('a binding is too small');
  };
  await expect(recovering(work, recovery)).rejects.toThrow('WebGPU refused 1 calls: a binding is too small');
});

it('a stop ends the wait for an adapter, and a run whose device is lost meanwhile', async () => {
  const waiting = bench(1000);
  const sleep = waiting.recovery.sleep;
  waiting.recovery.sleep = async (ms) => {
    await sleep(ms);
    waiting.stop.abort();
  };
  const error = await recovering(async ({ openGpu }) => openGpu(), waiting.recovery).catch((e: unknown) => e);
  expect(error).toBe(waiting.stop.signal.reason);
  expect(waiting.clock.requests).toBe(1);

  const { gpus, stop, recovery } = bench();
  const work = async ({ openGpu }: Attempt) => {
    await openGpu();
    stop.abort();
    gpus[0]!.lose('gone');
    throw new Error('mapAsync failed');
  };
  expect(await recovering(work, recovery).catch((e: unknown) => e)).toBe(stop.signal.reason);
  expect(gpus).toHaveLength(1);
});
