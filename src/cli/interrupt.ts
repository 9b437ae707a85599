/** Exit codes of a program that a signal ended, as shells count them. */
export const SIGNAL_CODES = { SIGINT: 130, SIGTERM: 143 } as const;
type SignalName = keyof typeof SIGNAL_CODES;

/** npm and the terminal both pass one Ctrl-C on; what comes that soon after it is its echo. */
const ECHO_MS = 400;

/** npm's shell dies of a SIGTERM without passing it on; it shows by the new parent that this process then has. */
function onOrphaned(callback: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    callback();
  }, 500);
  timer.unref();
}

/** Turns the first SIGINT or SIGTERM into an abort, and lets the second one end the program at once. */
export class Interrupt {
  readonly #controller = new AbortController();
  #received: { name: SignalName; at: number } | undefined;

  /** `onFirst` and `onSecond` tell the user; `onSecond` also leaves the terminal as it was found. */
  constructor(onFirst: () => void, onSecond: () => void) {
    const receive = (name: SignalName): void => {
      if (!this.#received) {
        this.#received = { name, at: performance.now() };
        onFirst();
        this.#controller.abort();
      } else if (performance.now() - this.#received.at > ECHO_MS) {
        onSecond();
        process.exit(SIGNAL_CODES[name]);
      }
    };
    for (const name of Object.keys(SIGNAL_CODES) as SignalName[]) process.on(name, () => receive(name));
    if (process.env.npm_lifecycle_event !== undefined) onOrphaned(() => receive('SIGTERM'));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** 130 or 143 once a signal came. */
  get exitCode(): number | undefined {
    return this.#received && SIGNAL_CODES[this.#received.name];
  }
}
