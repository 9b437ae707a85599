import { RetuneApp } from '../../src/app/retune-app.ts';
import { fakeEngine, scenarioOf } from './fake-engine.ts';

const scenario = scenarioOf(new URLSearchParams(location.search));
const app = new RetuneApp(fakeEngine(scenario));
document.querySelector('#app')!.replaceChildren(app);
addEventListener('update-comes', () => void app.session.updateReady(() => (document.title = 'taken')));
