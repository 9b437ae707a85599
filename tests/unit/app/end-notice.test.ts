import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { initialState, type RunState } from '../../../src/app/shared/app-state.ts';
import { newRun } from '../../../src/app/shared/run-events.ts';
import { Store } from '../../../src/app/shared/store.ts';
import { EndNotice } from '../../../src/app/training/end-notice.ts';

const shown: string[] = [];
const asked: string[] = [];
let away: boolean;
let answer: NotificationPermission;

class Notices {
  static permission: NotificationPermission;
  static async requestPermission() {
    asked.push(answer);
    return (Notices.permission = answer);
  }
  constructor(title: string, { body }: { body: string }) {
    shown.push(`${title} | ${body}`);
  }
  close(): void {
    shown.push('closed');
  }
}

beforeEach(() => {
  shown.length = asked.length = 0;
  away = true;
  answer = 'granted';
  Notices.permission = 'default';
  const kept = new Map<string, string>();
  vi.stubGlobal('Notification', Notices);
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
  });
  vi.stubGlobal('document', {
    baseURI: 'http://localhost/',
    get visibilityState() {
      return away ? 'hidden' : 'visible';
    },
    hasFocus: () => true,
  });
});
afterEach(() => vi.unstubAllGlobals());

const RUN = { ...newRun('v1 + rows', true), status: 'running' as const, evals: [{ step: 9, loss: 1.25 }] };
function page() {
  const app = new Store(initialState);
  const ends = (status: RunState['status'], more: Partial<RunState> = {}) => {
    app.update({ run: RUN });
    app.update({ run: { ...RUN, status, ...more } });
  };
  return { app, notice: new EndNotice(app), ends };
}

it('tells how a run ended, once somebody wanted that and the browser allowed it', async () => {
  const { app, notice, ends } = page();
  ends('finished');
  expect([shown, asked]).toEqual([[], []]);
  await notice.want(true);
  expect(app.state.notifying).toBe(true);
  ends('finished');
  ends('failed', { sentence: 'The GPU was lost.\u202e' });
  ends('stopped');
  expect(shown).toEqual([
    'V2 is ready | v1 + rows: eval loss 1.2500',
    'The run failed: action needed | v1 + rows: The GPU was lost.[U+202E]',
    'The run is stopped | v1 + rows, at step 0',
  ]);
});

it('tells nobody who looks at the page, and nothing of runs that had ended before', async () => {
  const { app, notice, ends } = page();
  await notice.want(true);
  away = false;
  ends('finished');
  away = true;
  app.update({ run: { ...newRun('another', true), status: 'finished' } });
  app.update({ run: undefined });
  expect(shown).toEqual([]);
});

it('is kept for the next visit, and asks at no time but a press', async () => {
  await page().notice.want(true);
  const { app, ends } = page();
  expect(app.state.notifying).toBe(true);
  ends('finished');
  expect(shown.length).toBe(1);
  expect(asked).toEqual(['granted']);
  await page().notice.want(false);
  expect(page().app.state.notifying).toBe(false);
});

it('says where the browser blocks it', async () => {
  answer = 'denied';
  const { app, notice } = page();
  await notice.want(true);
  expect(app.state.notifying).toBe(false);
  expect(app.state.notifyProblem).toMatch(/^The browser blocks notifications of this address; allow them/);
});
