import './device-report.ts';
import './live-status.ts';
import './page-notices.ts';
import './runs/runs-view.ts';
import './setup/setup-view.ts';
import './comparison/test-notice-view.ts';
import './comparison/test-view.ts';
import './training/train-view.ts';
import './use/use-view.ts';
import { css, html, LitElement, nothing } from 'lit';
import { customElement, query, state } from 'lit/decorators.js';
import type { EngineApi } from '../engine/protocol/protocol.ts';
import { WHAT } from '../formats/story.ts';
import { WakeLock } from '../platform/wake-lock.ts';
import { Addresses } from './addresses.ts';
import type { DeviceReport } from './device-report.ts';
import { appStyles } from './retune-app-styles.ts';
import type { SetupView } from './setup/setup-view.ts';
import { type AppState, isActive } from './shared/app-state.ts';
import { FocusKeeper } from './shared/focus-keeper.ts';
import type { Stage } from './shared/place.ts';
import { PageSession } from './shared/session.ts';
import { shared } from './shared/styles.ts';

/** The page: four stages and their runs, over one session with the engine. */
@customElement('retune-app')
export class RetuneApp extends LitElement {
  readonly session: PageSession;
  readonly #wakeLock = new WakeLock();
  readonly #focus = new FocusKeeper(this, () => this.#showShown());
  readonly #addresses: Addresses;
  /** The stage that is read, of the two on the first screen. */
  @state() read: 'choose' | 'recipe' = 'choose';
  @query('setup-view') private setup?: SetupView;
  @query('device-report') private report?: DeviceReport;
  @query('.device button') private deviceButton?: HTMLElement;
  @query('train-view, test-view, runs-view, use-view') private other?: HTMLElement & { show(): void };

  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
    `,
    appStyles,
  ];

  constructor(engine: EngineApi) {
    super();
    this.session = new PageSession(engine);
    this.#addresses = new Addresses(this.session, this);
    const { store, tests, use, lineage } = this.session;
    for (const one of [store, tests.store, use.store, lineage.store]) {
      one.subscribe(() => this.#follow());
    }
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void this.session.begin();
    this.#addresses.start();
    this.#focus.start();
    addEventListener('beforeunload', this.#warn);
    // A file dropped beside a card must not replace the page.
    addEventListener('dragover', prevent);
    addEventListener('drop', prevent);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#addresses.stop();
    this.#focus.stop();
    removeEventListener('beforeunload', this.#warn);
    removeEventListener('dragover', prevent);
    removeEventListener('drop', prevent);
  }

  override render() {
    const { session } = this;
    return html`<header>
        <div class="brand">
          <svg viewBox="0 0 64 64" aria-hidden="true">
            <rect width="64" height="64" rx="14" />
            <path d="M12 44c8 0 8-20 16-20s8 12 14 12 6-16 10-16" />
          </svg>
          <div>
            <h1>Retune</h1>
            <p>${WHAT}</p>
          </div>
        </div>
        <nav aria-label="Stages">
          <ol>
            ${this.#stage('choose', '1', 'Choose')}${this.#stage('recipe', '2', 'Recipe')}
            ${this.#stage('train', '3', 'Train')}${this.#stage('test', '4', 'Test')}${this.#stage('runs', '', 'Runs')}
          </ol>
        </nav>
        ${this.#device()}
        <device-report .session=${session} @close=${() => this.deviceButton?.focus()}></device-report>
      </header>
      <main>
        <page-notices .session=${session} @report=${() => void this.report?.show()}></page-notices>
        <test-notice-view .session=${session}></test-notice-view>
        ${this.#view()}
        <live-status .session=${session}></live-status>
      </main>
      <footer>
        <p>Everything happens on this machine. The page sends nothing to any other address.</p>
        ${session.store.state.offlineReady ? html`<p>Ready to work offline.</p>` : nothing}
        ${
          session.store.state.onlineOnly === undefined
            ? nothing
            : html`<p>
                Not available offline: the browser did not store the page (${session.store.state.onlineOnly}).
              </p>`
        }
      </footer>`;
  }

  /** Where the page is, though a run to show may be missing. */
  get #shown(): AppState['view'] {
    const { view, run } = this.session.store.state;
    return view === 'train' && !run ? 'setup' : view;
  }

  #view() {
    const { session } = this;
    switch (this.#shown) {
      case 'train':
        return html`<train-view .session=${session}></train-view>`;
      case 'test':
        return html`<test-view .session=${session}></test-view>`;
      case 'runs':
        return html`<runs-view .session=${session}></runs-view>`;
      case 'use':
        return html`<use-view .session=${session}></use-view>`;
      case 'setup':
        return html`<setup-view
          .session=${session}
          @stage=${(event: CustomEvent<'choose' | 'recipe'>) => this.#reads(event.detail)}
        ></setup-view>`;
    }
  }

  #device() {
    const { device } = this.session.store.state;
    const [tone, text] = !device
      ? ['busy', 'Looking for a GPU…']
      : !device.ok
        ? ['bad', 'No GPU available']
        : [device.value.software ? 'warn' : 'good', device.value.name];
    return html`<p class="device ${tone}" role="status">
      <button type="button" aria-haspopup="dialog" @click=${() => void this.report?.show()}>
        <span class="dot" aria-hidden="true"></span>${text}<span class="only-heard"
          >: what this machine has</span
        >
      </button>
    </p>`;
  }

  #stage(stage: Stage, number: string, name: string) {
    const { run } = this.session.store.state;
    const shown = this.#shown === 'use' ? this.session.use.store.state.from : this.#shown;
    const current = shown === 'setup' ? stage === this.read : stage === shown;
    return html`<li class=${stage}>
      <button
        type="button"
        aria-current=${current ? (number ? 'step' : 'page') : nothing}
        ?disabled=${stage === 'train' && !run}
        @click=${() => void this.#go(stage)}
      >
        ${number ? html`<span class="digit" aria-hidden="true">${number}</span>` : nothing}${name}
      </button>
    </li>`;
  }

  #reads(stage: 'choose' | 'recipe'): void {
    this.read = stage;
    this.#addresses.write();
  }

  async #go(stage: Stage): Promise<void> {
    this.#addresses.leave();
    if (stage === 'choose' || stage === 'recipe') {
      this.read = stage;
      this.session.store.update({ view: 'setup' });
      this.#addresses.write(true);
    } else {
      this.session.store.update({ view: stage });
    }
    await this.show(stage);
  }

  /** Hands the focus to the heading of the stage that is shown. */
  async show(stage: Stage): Promise<void> {
    await this.updateComplete;
    if (stage === 'choose' || stage === 'recipe') {
      await this.setup?.updateComplete;
      this.setup?.show(stage);
    } else {
      await (this.other as Partial<LitElement> | null)?.updateComplete;
      this.other?.show();
    }
  }

  /** Follows the run outside the page's own elements (title, wake lock); works in a hidden tab too. */
  #follow(): void {
    const { run } = this.session.store.state;
    const { running } = this.session.tests.store.state;
    // Beside the benchmark the page has no address.
    if (this.isConnected) {
      this.#addresses.write();
    }
    const exporting = this.session.use.store.state.work !== undefined;
    this.#wakeLock.want(running !== undefined || exporting || (isActive(run) && run?.status !== 'paused'));
    this.requestUpdate();
    void this.#keepFocus();
  }

  /** A stage that goes takes the focus with it: the next one's heading gets it. */
  async #keepFocus(): Promise<void> {
    // Beside the benchmark the page is never drawn.
    if (!this.hasUpdated) {
      return;
    }
    const focused = (this.renderRoot as ShadowRoot).activeElement;
    await this.updateComplete;
    if (!focused || focused.isConnected) {
      return;
    }
    await this.#showShown();
  }

  /** Hands the focus to the heading of what is shown. */
  #showShown(): Promise<void> {
    return this.show(this.#shown === 'setup' ? 'choose' : this.#shown);
  }

  readonly #warn = (event: BeforeUnloadEvent): void => {
    if (isActive(this.session.store.state.run) || this.session.use.store.state.work) {
      event.preventDefault();
    }
  };
}

const prevent = (event: Event): void => event.preventDefault();
