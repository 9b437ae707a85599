/** Exit codes of a program that a signal ended, as shells count them. */
export const SIGNAL_CODES = { SIGINT: 130, SIGTERM: 143 } as const;
type SignalName = keyof typeof SIGNAL_CODES;

/** npm and the terminal both pass one Ctrl-C on; what comes that soon after it is its echo. */
const ECHO_MS = 400;

/** Turns the first SIGINT or SIGTERM into an abort, and lets the second one end the program at once. */
export class Interrupt {
  readonly #controller = new AbortController();
  #received: { name: SignalName; at: number } | undefined;

  /** `onFirst` and `onSecond` tell the user; `onSecond` also leaves the terminal as it was found. */
  constructor(onFirst: () => void, onSecond: () => void) {
    for (const name of Object.keys(SIGNAL_CODES) as SignalName[])
      process.on(name, () => {
        if (!this.#received) {
          this.#received = { name, at: performance.now() };
          onFirst();
          this.#controller.abort();
        } else if (performance.now() - this.#received.at > ECHO_MS) {
          onSecond();
          process.exit(SIGNAL_CODES[name]);
        }
      });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** 130 or 143 once a signal came. */
  get exitCode(): number | undefined {
    return this.#received && SIGNAL_CODES[this.#received.name];
  }
}
