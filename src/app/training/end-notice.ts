import { visibleText } from '../../formats/visible-text.ts';
import { showNumber } from '../../formats/words.ts';
import { notify, notifyPermission, requestNotify } from '../../platform/notify.ts';
import { type AppState, isActive, type RunState } from '../shared/app-state.ts';
import { whileAsked } from '../shared/browser-questions.ts';
import type { Store } from '../shared/store.ts';
import { resultName } from '../shared/version-names.ts';

/** Under this name the browser keeps that notifications are wanted. */
const KEPT = 'retune-notify';

const BLOCKED =
  'The browser blocks notifications of this address; allow them beside the address, under its site settings.';

/** Notifies the user of a run's end, where they want that and the browser allows it. */
export class EndNotice {
  readonly #app: Store<AppState>;
  #was: RunState | undefined;

  constructor(app: Store<AppState>) {
    this.#app = app;
    app.update({ notifying: isKept() && notifyPermission() === 'granted' });
    app.subscribe(() => this.#follow());
  }

  /** Called by a press: the browser asks at no other time. */
  async want(wanted: boolean): Promise<void> {
    this.#app.update({ notifying: wanted, notifyProblem: undefined });
    if (wanted && notifyPermission() !== 'granted') {
      const text =
        'The browser asks whether Retune may show notifications, to tell you when the run ends: answer it at the top of this window.';
      const answer = await whileAsked(this.#app, text, requestNotify, {
        silent: notifyPermission() === 'denied',
      });
      const notifyProblem = answer === 'denied' ? BLOCKED : undefined;
      this.#app.update({ notifying: answer === 'granted', notifyProblem });
    }
    keep(this.#app.state.notifying);
  }

  #follow(): void {
    const { run, runs, notifying } = this.#app.state;
    const was = this.#was;
    this.#was = run;
    if (run && notifying && isActive(was) && !isActive(run) && was?.name === run.name) {
      const { title, body } = endOf(run, resultName(run.id, runs));
      notify(title, body);
    }
  }
}

/** What a run's end is told by. */
function endOf(run: RunState, result: string): { title: string; body: string } {
  const { status, sentence, evals, progress } = run;
  const name = visibleText(run.name);
  if (status === 'failed') {
    return { title: 'The run failed: action needed', body: `${name}: ${visibleText(sentence ?? '')}` };
  }
  if (status === 'stopped') {
    return { title: 'The run is stopped', body: `${name}, at step ${progress?.step ?? 0}` };
  }
  const last = evals.at(-1);
  return { title: `${result} is ready`, body: last ? `${name}: eval loss ${showNumber(last.loss)}` : name };
}

function isKept(): boolean {
  try {
    return localStorage.getItem(KEPT) === 'true';
  } catch {
    // Where site data is blocked, even asking for localStorage throws.
    return false;
  }
}

function keep(wanted: boolean): void {
  try {
    localStorage.setItem(KEPT, String(wanted));
  } catch {
    // It counts until the page is closed.
  }
}
