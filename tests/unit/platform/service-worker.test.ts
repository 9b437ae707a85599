import { afterEach, expect, it, vi } from 'vitest';
import { registerServiceWorker } from '../../../src/platform/service-worker.ts';

afterEach(() => vi.unstubAllGlobals());

/** What a page is told about a service worker that the browser stores as `container`. */
async function heard(container: unknown): Promise<string[]> {
  vi.stubGlobal('location', { href: 'https://here.example/', origin: 'https://here.example' });
  vi.stubGlobal('navigator', container === undefined ? {} : { serviceWorker: container });
  const said: string[] = [];
  await registerServiceWorker('./sw.js', {
    offlineReady: () => said.push('offline'),
    updateReady: () => said.push('update'),
    onlineOnly: (why) => said.push(why),
  });
  return said;
}

it.each([
  ['there are none', undefined, 'it has no service workers'],
  [
    'site data is blocked',
    { register: () => Promise.reject(new DOMException('denied', 'NotSupportedError')) },
    'NotSupportedError',
  ],
  ['its script does not come', { register: () => Promise.reject(new TypeError('bad script')) }, 'TypeError'],
])('says why the page needs the network where %s', async (_, container, why) => {
  expect(await heard(container)).toEqual([why]);
});

it('says so too if there is no space for the files', async () => {
  const installing = Object.assign(new EventTarget(), { state: 'installing' });
  const registration = Object.assign(new EventTarget(), { active: null, waiting: null, installing });
  const said = await heard({ controller: null, register: async () => registration });
  expect(said).toEqual([]);
  installing.state = 'redundant';
  installing.dispatchEvent(new Event('statechange'));
  expect(said).toEqual(['there may be no room for it']);
});

it('is quiet about a newer version that did not come while there is an older one', async () => {
  const installing = Object.assign(new EventTarget(), { state: 'installing' });
  const registration = Object.assign(new EventTarget(), { active: {}, waiting: null, installing });
  const said = await heard({ controller: {}, register: async () => registration });
  installing.state = 'redundant';
  installing.dispatchEvent(new Event('statechange'));
  expect(said).toEqual(['offline']);
});
