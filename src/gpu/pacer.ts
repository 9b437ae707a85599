/** Target duration of a submit in seconds, so that the desktop stays responsive and no watchdog fires. */
const TARGET_SECONDS = 0.05;
/** The same while sharing the GPU with other programs. */
const SHARED_TARGET_SECONDS = 0.02;
/** Maximum submits in flight: enough to hide command encoding, few enough to stop quickly. */
const IN_FLIGHT = 2;
/** Floating-point operations of the first submit: 0.1 s on a device of only 2 GFLOP/s. */
const FIRST_WORK = 2e8;
/** Factor by which a measurement's weight decays with each submit. */
const DECAY = 0.7;
/** Maximum growth from one submit to the next. */
const GROWTH = 2;

/** Fraction of a full submit to send first when the device is idle; it doubles with each submit. */
const START = 1 / 16;

/** A pacer's clock and its view of the device queue. */
interface PacerClock {
  /** Resolves when the device has finished everything submitted; rejects if it is lost. */
  done(): Promise<unknown>;
  /** Milliseconds. */
  now(): number;
  sleep(ms: number): Promise<void>;
}

/**
 * Decides how much work goes into one submit, and how much may be in flight. Work is counted in floating-point
 * operations; the device's throughput is measured as it runs.
 */
export class Pacer {
  /** Leave about half of the device's time to other programs. */
  yieldGpu = false;
  readonly #clock: PacerClock;
  #budget = FIRST_WORK;
  #inFlight: Promise<void>[] = [];
  /** Submits not known to have finished, and submits since the device was last idle. */
  #pending = 0;
  #sinceIdle = 0;
  #doneAt = 0;
  /** Decaying sums over recent submits: their ratio stays accurate even if several are seen to finish at once. */
  #work = 0;
  #seconds = 0;
  /** Milliseconds of device work since the last pause. */
  #busy = 0;

  constructor(clock: PacerClock) {
    this.#clock = clock;
  }

  /** Target operations per submit while the device is busy. */
  get full(): number {
    return this.#budget;
  }

  /** Target operations of the next submit: an idle device gets its first work early. */
  get budget(): number {
    if (this.yieldGpu) {
      return this.#budget;
    }
    return this.#budget * Math.min(1, START * GROWTH ** this.#sinceIdle);
  }

  /** Registers a submit of `work` operations. */
  submitted(work: number): void {
    const begun = this.#clock.now();
    this.#pending++;
    this.#sinceIdle++;
    const done = this.#clock.done().then(
      () => {
        if (--this.#pending === 0) {
          this.#sinceIdle = 0;
        }
        const now = this.#clock.now();
        // Submits run one after another: this one started when the previous one ended.
        const ms = now - Math.max(begun, this.#doneAt);
        this.#doneAt = now;
        this.#busy += ms;
        if (work > 0) {
          this.#learn(work, ms / 1000);
        }
      },
      // A lost device rejects; the next readback reports it to a caller that waits.
      () => undefined,
    );
    this.#inFlight.push(done);
  }

  /** Waits while too much is in flight and, with `yieldGpu`, for as long as the device has worked. */
  async throttle(): Promise<void> {
    if (!this.yieldGpu) {
      while (this.#inFlight.length >= IN_FLIGHT) {
        await this.#inFlight.shift();
      }
      return;
    }
    await this.drain();
    const rest = this.#busy;
    this.#busy = 0;
    if (rest >= 1) {
      await this.#clock.sleep(rest);
    }
  }

  /** Waits for everything submitted. */
  async drain(): Promise<void> {
    while (this.#inFlight.length > 0) {
      await this.#inFlight.shift();
    }
  }

  #learn(work: number, seconds: number): void {
    this.#work = DECAY * this.#work + work;
    this.#seconds = DECAY * this.#seconds + seconds;
    const target = this.yieldGpu ? SHARED_TARGET_SECONDS : TARGET_SECONDS;
    const wanted = (this.#work / Math.max(this.#seconds, 1e-6)) * target;
    this.#budget = Math.min(wanted, GROWTH * Math.max(this.#budget, work));
  }
}
