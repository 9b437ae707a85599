import { expect, test } from 'vitest';
import { LogWindow } from '../../../src/train/log-window.ts';

test('a log entry has the mean since the last one, and saving changes nothing', () => {
  let window = new LogWindow();
  window.add(4);
  expect(window.close(1)).toBe(4);
  window.add(1);
  window.add(2);
  window = new LogWindow(JSON.parse(JSON.stringify(window.save())));
  window.add(6);
  expect(window.close(4)).toBe(3);
  window.add(7);
  expect(window.trainLoss(5)).toBe(4);
  expect(window.save()).toEqual({ sum: 7, lastLogged: 4, total: 13 });
});

test('the state handed in is not changed', () => {
  const state = { sum: 1, lastLogged: 2, total: 3 };
  new LogWindow(state).add(5);
  expect(state).toEqual({ sum: 1, lastLogged: 2, total: 3 });
});
