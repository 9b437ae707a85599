import { RetuneApp } from '../../src/app/retune-app.ts';
import { fakeEngine, scenarioOf } from './fake-engine.ts';
import { testScenarioOf } from './fake-tests.ts';

const search = new URLSearchParams(location.search);
const app = new RetuneApp(fakeEngine(scenarioOf(search), testScenarioOf(search)));
document.querySelector('#app')!.replaceChildren(app);
addEventListener('update-comes', () => void app.session.updateReady(() => (document.title = 'taken')));
