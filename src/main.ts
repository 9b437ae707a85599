import { RetuneApp } from './app/retune-app.ts';
import { startEngine } from './engine/client.ts';
import { registerServiceWorker } from './platform/service-worker.ts';

const root = document.querySelector<HTMLElement>('#app')!;
const measured = new URLSearchParams(location.search).has('bench');
const app = new RetuneApp(startEngine());
if (measured) {
  void import('./app/bench-page.ts').then(({ showBench }) => showBench(root));
} else {
  root.replaceChildren(app);
}

// Only a build has a service worker.
if (import.meta.env.PROD) {
  void registerServiceWorker('./sw.js', {
    offlineReady: () => app.session.store.update({ offlineReady: true, onlineOnly: undefined }),
    onlineOnly: (onlineOnly) => app.session.store.update({ onlineOnly }),
    updateReady: (take) => void app.session.updateReady(take),
  });
}
