import { RetuneApp } from '../../src/app/retune-app.ts';
import { fakeEngine, scenarioOf } from './fake-engine.ts';

const scenario = scenarioOf(new URLSearchParams(location.search));
document.querySelector('#app')!.replaceChildren(new RetuneApp(fakeEngine(scenario)));
