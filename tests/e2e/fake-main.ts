import { RetuneApp } from '../../src/app/retune-app.ts';
import { fakeEngine, scenarioOf } from './fake-engine.ts';
import { testScenarioOf } from './fake-tests.ts';
import { withMarkup } from './markup-engine.ts';

const search = new URLSearchParams(location.search);
const engine = fakeEngine(scenarioOf(search), testScenarioOf(search));
const app = new RetuneApp(search.has('markup') ? withMarkup(engine) : engine);
document.querySelector('#app')!.replaceChildren(app);
addEventListener('update-comes', () => void app.session.updateReady(() => (document.body.id = 'taken')));
