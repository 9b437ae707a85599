import { expect, it } from 'vitest';
import { browserProblem, browserVersion } from '../../../src/platform/browser.ts';

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
const SAFARI =
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15';
const CHROME =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';

it('says what to do in browsers that it was not made for', () => {
  expect(browserProblem({ agent: FIREFOX, brands: undefined, secure: true })).toMatch(
    /^Firefox is untested.*Chrome or Edge/,
  );
  expect(browserProblem({ agent: SAFARI, brands: undefined, secure: true })).toMatch(/^Safari is untested/);
  expect(browserProblem({ agent: CHROME, brands: undefined, secure: true })).toBeUndefined();
  expect(
    browserProblem({ agent: 'something new', brands: [{ brand: 'Chromium' }], secure: true }),
  ).toBeUndefined();
  expect(browserProblem({ agent: CHROME, brands: undefined, secure: false })).toMatch(
    /plain http.*https, or as localhost/,
  );
});

it('names the browser and its version, by its brands or its agent', () => {
  const named = (agent: string, brands?: [string, string][]) => {
    const list = brands?.map(([brand, version]) => ({ brand, version }));
    return browserVersion({ agent, brands: list, secure: true });
  };
  const none: [string, string] = ['Not:A-Brand', '8'];
  expect(named(CHROME, [none, ['Chromium', '156'], ['Google Chrome', '156']])).toEqual({
    name: 'Google Chrome 156',
    chrome: 156,
  });
  expect(named(CHROME, [['Chromium', '156'], none, ['Opera', '140']])).toEqual({
    name: 'Opera 140',
    chrome: 156,
  });
  expect(named(CHROME, [none, ['Chromium', '155']])).toEqual({ name: 'Chromium 155', chrome: 155 });
  expect(named(CHROME)).toEqual({ name: 'Chrome 140', chrome: 140 });
  expect(named(FIREFOX)).toEqual({ name: 'Firefox 140', chrome: undefined });
  expect(named(SAFARI)).toEqual({ name: 'Safari 18', chrome: undefined });
  expect(named('something new')).toEqual({ name: 'unknown', chrome: undefined });
});
