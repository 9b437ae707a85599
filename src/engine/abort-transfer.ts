import { type TransferHandler, transferHandlers } from 'comlink';

/** The reason of a signal that was given on the other side. */
export class Canceled extends Error {
  constructor() {
    super('canceled');
  }
}

const handler: TransferHandler<AbortSignal, MessagePort> = {
  canHandle: (value): value is AbortSignal => value instanceof AbortSignal,
  serialize(signal) {
    const { port1, port2 } = new MessageChannel();
    const give = () => port1.postMessage(null);
    if (signal.aborted) {
      give();
    } else {
      signal.addEventListener('abort', give, { once: true });
    }
    return [port2, [port2]];
  },
  deserialize(port) {
    const controller = new AbortController();
    port.onmessage = () => controller.abort(new Canceled());
    return controller.signal;
  },
};

/** Lets signals cross between page and worker, as functions do; both sides must have called it. */
export function transferSignals(): void {
  transferHandlers.set('abort signal', handler);
}
