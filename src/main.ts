import { RetuneApp } from './app/retune-app.ts';
import { registerServiceWorker } from './platform/service-worker.ts';
import { startEngine } from './worker/client.ts';

const app = new RetuneApp(startEngine());
document.querySelector('#app')!.replaceChildren(app);

// Only a build has a service worker.
if (import.meta.env.PROD)
  void registerServiceWorker('./sw.js', {
    offlineReady: () => app.session.store.update({ offlineReady: true }),
    updateReady: (take) => void app.session.updateReady(take),
  });
