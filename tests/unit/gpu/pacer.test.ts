import { describe, expect, it } from 'vitest';
import { Pacer } from '../../../src/gpu/pacer.ts';

/** A device of `rate` operations a second that takes its submits one after the other, on a clock of its own. */
class FakeDevice {
  time = 0;
  slept = 0;
  rate: number;
  readonly pacer: Pacer;
  #free = 0;
  #latest = Promise.resolve();

  /** `rate`: operations a second. */
  constructor(rate: number) {
    this.rate = rate;
    this.pacer = new Pacer({
      done: () => this.#latest,
      now: () => this.time,
      sleep: (ms) => {
        this.slept += ms;
        this.time += ms;
        return Promise.resolve();
      },
    });
  }

  submit(work: number): void {
    this.#free = Math.max(this.#free, this.time) + (1000 * work) / this.rate;
    const end = this.#free;
    this.#latest = this.#latest.then(() => {
      this.time = Math.max(this.time, end);
    });
    this.pacer.submitted(work);
  }
}

describe('Pacer', () => {
  it.each([1e10, 2e12, 6e13])(
    'comes to submits of 50 ms on a device of %s operations a second',
    async (rate) => {
      const device = new FakeDevice(rate);
      expect((1000 * device.pacer.budget) / rate).toBeLessThanOrEqual(20);
      for (let i = 0; i < 40; i++) {
        device.submit(device.pacer.budget);
        await device.pacer.breathe();
      }
      expect(device.pacer.budget / rate).toBeCloseTo(0.05, 3);
    },
  );

  it('is not misled by submits that are seen to end at once', async () => {
    const device = new FakeDevice(1e12);
    for (let i = 0; i < 40; i++) {
      for (let k = 0; k < 3; k++) device.submit(device.pacer.budget);
      await device.pacer.settle();
    }
    expect(device.pacer.budget / 1e12).toBeGreaterThan(0.02);
    expect(device.pacer.budget / 1e12).toBeLessThan(0.1);
  });

  it('never asks for more than twice the work that it has seen', async () => {
    const device = new FakeDevice(1e15);
    const before = device.pacer.budget;
    device.submit(before);
    await device.pacer.settle();
    expect(device.pacer.budget).toBe(2 * before);
  });

  it('shrinks at once where the device turns slow', async () => {
    const device = new FakeDevice(1e13);
    for (let i = 0; i < 30; i++) {
      device.submit(device.pacer.budget);
      await device.pacer.settle();
    }
    device.rate = 1e11;
    device.submit(device.pacer.budget);
    await device.pacer.settle();
    expect(device.pacer.budget / 1e11).toBeLessThan(0.25);
  });

  it('rests as long as the device has worked where room is left', async () => {
    const device = new FakeDevice(1e12);
    device.pacer.leaveRoom = true;
    for (let i = 0; i < 50; i++) {
      device.submit(device.pacer.budget);
      await device.pacer.breathe();
    }
    expect(device.slept / device.time).toBeCloseTo(0.5, 2);
    expect(device.pacer.budget / 1e12).toBeCloseTo(0.02, 3);
  });

  it('waits while two submits are in flight', async () => {
    const ends: (() => void)[] = [];
    const pacer = new Pacer({
      done: () => new Promise<void>((resolve) => ends.push(resolve)),
      now: () => 0,
      sleep: () => Promise.resolve(),
    });
    pacer.submitted(1);
    await pacer.breathe();
    pacer.submitted(1);
    let waiting = true;
    const breath = pacer.breathe().then(() => (waiting = false));
    await new Promise((resolve) => setTimeout(resolve));
    expect(waiting).toBe(true);
    ends[0]!();
    await breath;
    expect(waiting).toBe(false);
  });
});
