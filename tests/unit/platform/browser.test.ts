import { expect, it } from 'vitest';
import { browserProblem } from '../../../src/platform/browser.ts';

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
