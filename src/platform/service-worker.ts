import { ownScript } from './own-script.ts';

export interface UpdateListener {
  offlineReady(): void;
  updateReady(take: () => void): void;
  /** The browser does not keep the page for when there is no network. */
  onlineOnly(why: string): void;
}

/** Registers the service worker. A newer version waits until `take` is called, and only then the page reloads. */
export async function registerServiceWorker(url: string, listener: UpdateListener): Promise<void> {
  // The browser has none in some private windows, and refuses it where it keeps nothing.
  const { serviceWorker: container } = navigator as { serviceWorker?: ServiceWorkerContainer };
  if (!container) return listener.onlineOnly('it has no service workers');
  let registration: ServiceWorkerRegistration;
  try {
    registration = await container.register(ownScript(url));
  } catch (error) {
    return listener.onlineOnly(error instanceof Error ? error.name : String(error));
  }

  const offer = (waiting: ServiceWorker) =>
    listener.updateReady(() => {
      container.addEventListener('controllerchange', () => location.reload(), { once: true });
      waiting.postMessage({ type: 'SKIP_WAITING' });
    });
  const follow = (worker: ServiceWorker) =>
    worker.addEventListener('statechange', () => {
      if (worker.state === 'installed' && container.controller) offer(worker);
      else if (worker.state === 'activated') listener.offlineReady();
      else if (worker.state === 'redundant' && !registration.active)
        listener.onlineOnly('there may be no room for it');
    });

  if (registration.active) listener.offlineReady();
  if (registration.waiting && container.controller) offer(registration.waiting);
  if (registration.installing) follow(registration.installing);
  registration.addEventListener('updatefound', () => {
    if (registration.installing) follow(registration.installing);
  });
}
