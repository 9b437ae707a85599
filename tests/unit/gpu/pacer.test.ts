import { describe, expect, it } from 'vitest';
import { Pacer } from '../../../src/gpu/pacer.ts';

/** Long enough for everything that waits on a promise. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A device of `rate` operations per second that runs its submits one after another, on its own clock. */
class FakeDevice {
  time = 0;
  slept = 0;
  /** Milliseconds for which it was idle. */
  idle = 0;
  rate: number;
  readonly pacer: Pacer;
  #free = 0;
  #running: { end: number; finish: () => void }[] = [];
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
    this.idle += Math.max(0, this.time - this.#free);
    const end = Math.max(this.#free, this.time) + (1000 * work) / this.rate;
    this.#free = end;
    this.#latest = new Promise((finish) => this.#running.push({ end, finish }));
    this.pacer.submitted(work);
  }

  /** Advances time until `waiting` is over. */
  async until(waiting: Promise<void>): Promise<void> {
    let over = false;
    void waiting.then(() => (over = true));
    for (await turn(); !over; await turn()) {
      await this.#finish(this.#running[0]!.end);
    }
  }

  /** Advances time by this much. */
  async pass(ms: number): Promise<void> {
    const end = this.time + ms;
    while (this.#running[0] && this.#running[0].end <= end) {
      await this.#finish(this.#running[0].end);
    }
    this.time = end;
  }

  async #finish(end: number): Promise<void> {
    this.time = Math.max(this.time, end);
    this.#running.shift()!.finish();
    await turn();
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
        await device.until(device.pacer.throttle());
      }
      expect(device.pacer.budget / rate).toBeCloseTo(0.05, 3);
    },
  );

  it('is not misled by submits that are seen to end at once', async () => {
    const device = new FakeDevice(1e12);
    for (let i = 0; i < 40; i++) {
      for (let k = 0; k < 3; k++) {
        device.submit(device.pacer.full);
      }
      await device.until(device.pacer.drain());
    }
    expect(device.pacer.full / 1e12).toBeGreaterThan(0.02);
    expect(device.pacer.full / 1e12).toBeLessThan(0.1);
  });

  it('never asks for more than twice the work that it has seen', async () => {
    const device = new FakeDevice(1e15);
    const before = device.pacer.full;
    device.submit(before);
    await device.until(device.pacer.drain());
    expect(device.pacer.full).toBe(2 * before);
    expect(device.pacer.budget).toBeLessThan(before);
  });

  it('shrinks at once where the device turns slow', async () => {
    const device = new FakeDevice(1e13);
    for (let i = 0; i < 30; i++) {
      device.submit(device.pacer.budget);
      await device.until(device.pacer.drain());
    }
    device.rate = 1e11;
    device.submit(device.pacer.budget);
    await device.until(device.pacer.drain());
    expect(device.pacer.full / 1e11).toBeLessThan(0.25);
  });

  it('gives a device that waits its first work soon, and comes to full submits from there', async () => {
    const device = new FakeDevice(1e13);
    const encode = 0.1;
    const works: number[] = [];
    // Steps of 300 ms, each after a result that was waited for; encoding takes a tenth of the device's time.
    for (let step = 0; step < 20; step++) {
      works.length = 0;
      device.idle = 0;
      for (let left = 0.3 * device.rate; left > 0; left -= works.at(-1)!) {
        works.push(Math.min(left, device.pacer.budget));
        await device.pass((encode * 1000 * works.at(-1)!) / device.rate);
        device.submit(works.at(-1)!);
        await device.until(device.pacer.throttle());
      }
      await device.until(device.pacer.drain());
    }
    const ms = works.map((work) => (1000 * work) / device.rate);
    expect(ms[0]).toBeGreaterThan(2);
    expect(ms[0]).toBeLessThan(5);
    ms.slice(1, 5).forEach((length, i) => expect(length / ms[i]!).toBeCloseTo(2, 1));
    expect(ms[4]).toBeCloseTo(50, 0);
    // What the first submit takes to encode; a full one would take 5 ms.
    expect(device.idle).toBeCloseTo(encode * ms[0]!, 3);
  });

  it('does not shorten submits where room is left: the device waits by intent', () => {
    const device = new FakeDevice(1e12);
    device.pacer.yieldGpu = true;
    expect(device.pacer.budget).toBe(device.pacer.full);
  });

  it('rests as long as the device has worked where room is left', async () => {
    const device = new FakeDevice(1e12);
    device.pacer.yieldGpu = true;
    for (let i = 0; i < 50; i++) {
      device.submit(device.pacer.budget);
      await device.until(device.pacer.throttle());
    }
    expect(device.slept / device.time).toBeCloseTo(0.5, 2);
    expect(device.pacer.full / 1e12).toBeCloseTo(0.02, 3);
  });

  it('waits while two submits are in flight', async () => {
    const ends: (() => void)[] = [];
    const pacer = new Pacer({
      done: () => new Promise<void>((resolve) => ends.push(resolve)),
      now: () => 0,
      sleep: () => Promise.resolve(),
    });
    pacer.submitted(1);
    await pacer.throttle();
    pacer.submitted(1);
    let waiting = true;
    const breath = pacer.throttle().then(() => (waiting = false));
    await new Promise((resolve) => setTimeout(resolve));
    expect(waiting).toBe(true);
    ends[0]!();
    await breath;
    expect(waiting).toBe(false);
  });
});
