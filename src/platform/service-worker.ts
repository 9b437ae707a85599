import { ownScript } from './own-script.ts';

export interface UpdateListener {
  offlineReady(): void;
  updateReady(take: () => void): void;
}

/** Registers the service worker. A newer version waits until `take` is called, and only then the page reloads. */
export async function registerServiceWorker(url: string, listener: UpdateListener): Promise<void> {
  if (!('serviceWorker' in navigator)) return;
  const container = navigator.serviceWorker;
  const registration = await container.register(ownScript(url));

  const offer = (waiting: ServiceWorker) =>
    listener.updateReady(() => {
      container.addEventListener('controllerchange', () => location.reload(), { once: true });
      waiting.postMessage({ type: 'SKIP_WAITING' });
    });
  const follow = (worker: ServiceWorker) =>
    worker.addEventListener('statechange', () => {
      if (worker.state === 'installed' && container.controller) offer(worker);
      else if (worker.state === 'activated') listener.offlineReady();
    });

  if (registration.active) listener.offlineReady();
  if (registration.waiting && container.controller) offer(registration.waiting);
  if (registration.installing) follow(registration.installing);
  registration.addEventListener('updatefound', () => {
    if (registration.installing) follow(registration.installing);
  });
}
