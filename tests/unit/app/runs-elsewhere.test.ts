import { expect, it } from 'vitest';
import { runsElsewhere } from '../../../src/app/runs/runs-elsewhere.ts';

const usual = expect.stringMatching(/http:\/\/localhost:17388\//);
const earlier = expect.stringMatching(/http:\/\/localhost:4173\/.*npm start -- --port 4173/);

it.each([
  ['localhost', '17388', [earlier]],
  ['localhost', '4173', [usual]],
  // Another name of the same server is another origin.
  ['127.0.0.1', '17388', [usual, earlier]],
  ['[::1]', '9000', [usual, earlier]],
  ['retune.example', '', []],
])('at %s:%s it says where else runs may be', (hostname, port, texts) => {
  expect(runsElsewhere({ hostname, port })).toEqual(texts);
});
