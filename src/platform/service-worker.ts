import { ownScript } from './own-script.ts';

interface UpdateListener {
  offlineReady(): void;
  updateReady(take: () => void): void;
  /** The browser does not store the page for offline use. */
  onlineOnly(why: string): void;
}

/** Registers the service worker. A newer version waits until `take` is called; only then does the page reload. */
export async function registerServiceWorker(url: string, listener: UpdateListener): Promise<void> {
  // Browsers lack it in some private windows, and refuse it if they store nothing.
  const { serviceWorker: container } = navigator as { serviceWorker?: ServiceWorkerContainer };
  if (!container) {
    return listener.onlineOnly('it has no service workers');
  }
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
      if (worker.state === 'installed' && container.controller) {
        offer(worker);
      } else if (worker.state === 'activated') {
        listener.offlineReady();
      } else if (worker.state === 'redundant' && !registration.active) {
        listener.onlineOnly('there may be no room for it');
      }
    });

  if (registration.active) {
    listener.offlineReady();
  }
  if (registration.waiting && container.controller) {
    offer(registration.waiting);
  }
  if (registration.installing) {
    follow(registration.installing);
  }
  registration.addEventListener('updatefound', () => {
    if (registration.installing) {
      follow(registration.installing);
    }
  });
}
