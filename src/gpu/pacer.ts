/** Seconds of device work to aim at per submit, so that the desktop stays usable and no watchdog fires. */
const TARGET_SECONDS = 0.05;
/** The same where other programs shall have their turns in between. */
const SHARED_TARGET_SECONDS = 0.02;
/** Submits that may wait on the device at a breath: enough to hide the encoding, few enough to stop quickly. */
const IN_FLIGHT = 2;
/** Floating-point operations of the first submit: 0.1 s on a device of only 2 GFLOP/s. */
const FIRST_WORK = 2e8;
/** What a measurement counts one submit later. */
const DECAY = 0.7;
/** The most by which one submit may exceed the one before. */
const GROWTH = 2;

/** The share of a full submit that the first holds while the device has nothing to do; each then holds twice as much. */
const START = 1 / 16;

/** What a pacer needs of the world. */
export interface PacerClock {
  /** Resolves when the device has finished all that was submitted; rejects where it is lost. */
  done(): Promise<unknown>;
  /** Milliseconds. */
  now(): number;
  sleep(ms: number): Promise<void>;
}

/**
 * Decides how much work goes into one submit and how much may wait on the device. Work is counted in floating-point
 * operations; what a device does of them in a second is measured as it goes.
 */
export class Pacer {
  /** Leave about half of the device's time to other programs. */
  yieldGpu = false;
  readonly #clock: PacerClock;
  #budget = FIRST_WORK;
  #inFlight: Promise<void>[] = [];
  /** Submits that the device has not finished, as far as is known, and those since it last had none. */
  #pending = 0;
  #sinceIdle = 0;
  #doneAt = 0;
  /** Decaying sums over the latest submits: their rate stays right where several are seen to end at once. */
  #work = 0;
  #seconds = 0;
  /** Milliseconds of device work since the last rest. */
  #busy = 0;

  constructor(clock: PacerClock) {
    this.#clock = clock;
  }

  /** Operations that a submit should hold while the device is busy. */
  get full(): number {
    return this.#budget;
  }

  /** Operations that the next submit should hold: a device that waits is given the first of them soon. */
  get budget(): number {
    if (this.yieldGpu) return this.#budget;
    return this.#budget * Math.min(1, START * GROWTH ** this.#sinceIdle);
  }

  /** Tells of a submit of so much work. */
  submitted(work: number): void {
    const begun = this.#clock.now();
    this.#pending++;
    this.#sinceIdle++;
    const done = this.#clock.done().then(
      () => {
        if (--this.#pending === 0) this.#sinceIdle = 0;
        const now = this.#clock.now();
        // The device takes one submit after the other: this one began when the one before had ended.
        const ms = now - Math.max(begun, this.#doneAt);
        this.#doneAt = now;
        this.#busy += ms;
        if (work > 0) this.#learn(work, ms / 1000);
      },
      // A lost device refuses; the next readback says so where somebody waits for it.
      () => undefined,
    );
    this.#inFlight.push(done);
  }

  /** Waits while too much is in flight and, where room is left, for as long as the device has worked. */
  async throttle(): Promise<void> {
    if (!this.yieldGpu) {
      while (this.#inFlight.length >= IN_FLIGHT) await this.#inFlight.shift();
      return;
    }
    await this.drain();
    const rest = this.#busy;
    this.#busy = 0;
    if (rest >= 1) await this.#clock.sleep(rest);
  }

  /** Waits for everything submitted. */
  async drain(): Promise<void> {
    while (this.#inFlight.length > 0) await this.#inFlight.shift();
  }

  #learn(work: number, seconds: number): void {
    this.#work = DECAY * this.#work + work;
    this.#seconds = DECAY * this.#seconds + seconds;
    const target = this.yieldGpu ? SHARED_TARGET_SECONDS : TARGET_SECONDS;
    const wanted = (this.#work / Math.max(this.#seconds, 1e-6)) * target;
    this.#budget = Math.min(wanted, GROWTH * Math.max(this.#budget, work));
  }
}
