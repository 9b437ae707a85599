import { testTitle } from './comparison/test-events.ts';
import { isActive } from './shared/app-state.ts';
import { pageTitle } from './shared/page-title.ts';
import { addressOf, isSamePlace, type PagePlace, placeAt, type Stage } from './shared/place.ts';
import type { PageSession } from './shared/session.ts';
import { resultName } from './shared/version-names.ts';

const ELSEWHERE = 'it was deleted, or it belongs to another browser';
const NO_RUN = `The run of this address is not in this browser: ${ELSEWHERE}.`;
const NO_TEST = `The test of this address is not in this browser: ${ELSEWHERE}.`;

/** What the addresses need of the page. */
interface Shown {
  /** The half of the first screen that is read. */
  read: 'choose' | 'recipe';
  /** Shows a stage and hands it the focus. */
  show(stage: Stage): Promise<void>;
}

/**
 * The page's addresses: every place has one (#runs/<id>), so that Back, Forward, a reload and a bookmark lead there. The
 * state decides where the page is and the address follows it; only an address that the user goes to changes the state.
 */
export class Addresses {
  readonly #session: PageSession;
  readonly #page: Shown;
  #place: PagePlace = { stage: 'choose' };
  /** The address that is being gone to; meanwhile none is written. */
  #going: PagePlace | undefined;

  constructor(session: PageSession, page: Shown) {
    this.#session = session;
    this.#page = page;
  }

  /** Goes to the address that the page was opened at. */
  start(): void {
    addEventListener('popstate', this.#follow);
    void this.#go(location.hash, false);
  }

  stop(): void {
    removeEventListener('popstate', this.#follow);
  }

  /** Writes where the page is; `asked`: the user asked for it, so Back leads to where it was. */
  write(asked = false): void {
    if (this.#going) {
      return;
    }
    const place = this.#here();
    const before = this.#place;
    this.#place = place;
    if (addressOf(place) !== addressOf(before)) {
      setAddress(addressOf(place), isSamePlace(before, place) && !asked);
      // What was said of the address before.
      if (this.#session.store.state.gone !== undefined) {
        this.#session.store.update({ gone: undefined });
      }
    }
    this.#name();
  }

  /** The user went elsewhere in the page before the address was reached. */
  leave(): void {
    this.#going = undefined;
  }

  readonly #follow = (): void => void this.#go(location.hash, true);

  async #go(hash: string, focus: boolean): Promise<void> {
    const { store } = this.#session;
    const going = (this.#going = placeAt(hash) ?? { stage: 'choose' });
    const known = placeAt(hash) !== undefined;
    store.update({
      gone: known ? undefined : 'Nothing on this page has this address; this is where it begins.',
    });
    const gone = await this.#reach(going);
    if (this.#going !== going) {
      return;
    }
    this.#going = undefined;
    // Where the place was not reached, its address gives way to that of what is shown.
    this.#place = this.#here();
    setAddress(addressOf(this.#place), true);
    if (gone !== undefined && store.state.storage?.ok !== false) {
      store.update({ gone });
    }
    this.#name();
    if (focus || going.stage === 'recipe') {
      await this.#page.show(this.#place.stage);
    }
  }

  /** Resolves to why the place cannot be shown; the page stays where it is once the user has gone elsewhere. */
  async #reach(going: PagePlace): Promise<string | undefined> {
    const { stage, id, step } = going;
    const left = () => this.#going !== going;
    const { store, lineage, training, use, recovered } = this.#session;
    const { run } = store.state;
    switch (stage) {
      case 'choose':
      case 'recipe':
        this.#page.read = stage;
        store.update({ view: 'setup' });
        return undefined;
      case 'test':
        store.update({ view: 'test' });
        return this.#reachTest(id, left);
      case 'runs': {
        store.update({ view: 'runs' });
        if (id !== undefined) {
          await lineage.refresh();
        }
        if (left()) {
          return undefined;
        }
        const found = store.state.runs.some((record) => record.id === id);
        lineage.select(found ? id : undefined);
        return found || id === undefined ? undefined : NO_RUN;
      }
      case 'train':
      case 'use':
    }
    if (stage === 'train' && (isActive(run) || (run && (id === undefined || run.id === id)))) {
      store.update({ view: 'train' });
      return undefined;
    }
    if (id === undefined) {
      store.update({ view: 'setup' });
      // A run may be about to resume.
      await recovered;
      const { run: resumed, unfinished, view } = store.state;
      if (resumed && view === 'setup' && !left()) {
        store.update({ view: 'train' });
      }
      return resumed || unfinished
        ? undefined
        : 'No run is open: start one here, or open an earlier one under Runs.';
    }
    await lineage.refresh();
    if (left()) {
      return undefined;
    }
    const record = store.state.runs.find((one) => one.id === id);
    if (!record) {
      store.update({ view: 'runs' });
      lineage.select(undefined);
      return NO_RUN;
    }
    if (stage === 'use') {
      void use.open(record, use.store.state.from, step);
    } else if (isActive(store.state.run)) {
      store.update({ view: 'train' });
    } else {
      training.open(record);
    }
    return undefined;
  }

  async #reachTest(id: string | undefined, left: () => boolean): Promise<string | undefined> {
    const { tests } = this.#session;
    const { running } = tests.store.state;
    if (running) {
      return undefined;
    }
    if (id === undefined) {
      tests.close();
      return undefined;
    }
    await tests.refresh();
    if (left()) {
      return undefined;
    }
    if (!tests.store.state.records.some((record) => record.id === id)) {
      tests.close();
      return NO_TEST;
    }
    await tests.open(id);
    return undefined;
  }

  /** Where the page is by its state. */
  #here(): PagePlace {
    const { store, lineage, tests, use } = this.#session;
    const { view, run } = store.state;
    switch (view) {
      case 'train':
        return run ? { stage: 'train', id: isActive(run) ? undefined : run.id } : { stage: this.#page.read };
      case 'test': {
        const { running, detail } = tests.store.state;
        return { stage: 'test', id: running ? running.id : detail?.record.id };
      }
      case 'runs':
        return { stage: 'runs', id: lineage.store.state.selected };
      case 'use': {
        const { used } = use.store.state;
        return { stage: 'use', id: used?.record.id, step: used?.step };
      }
      case 'setup':
        return { stage: this.#page.read };
    }
  }

  /** The title follows the run in a hidden tab too. */
  #name(): void {
    const { store, tests } = this.#session;
    const { running } = tests.store.state;
    document.title = running
      ? testTitle(running)
      : pageTitle(store.state.run, this.#shownName(), this.#place.stage === 'train');
  }

  #shownName(): string {
    const { store, tests, use } = this.#session;
    const { run, runs } = store.state;
    const { stage, id } = this.#place;
    const name = (list: readonly { id: string; name: string }[]) => list.find((one) => one.id === id)?.name;
    switch (stage) {
      case 'choose':
        return '';
      case 'recipe':
        return 'Recipe';
      case 'train':
        return isActive(run) ? '' : (run?.name ?? '');
      case 'test':
        return name(tests.store.state.records) ?? 'Test';
      case 'runs':
        return name(runs) ?? 'Runs';
      case 'use':
        return `Use ${use.store.state.used?.label ?? resultName(id, runs)}`;
    }
  }
}

function setAddress(address: string, replaces: boolean): void {
  if (address === location.hash) {
    return;
  }
  const url = address || location.pathname + location.search;
  if (replaces) {
    history.replaceState(null, '', url);
  } else {
    history.pushState(null, '', url);
  }
}
