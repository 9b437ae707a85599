import type { ChosenInputs, EngineApi } from '../../engine/protocol/protocol.ts';
import { UserError } from '../../formats/user-error.ts';
import { showShare } from '../../formats/words.ts';
import type { RunEvent } from '../../run/events.ts';
import type { SpeedConditions } from '../../run/training-speed.ts';
import { type AppState, isActive } from '../shared/app-state.ts';
import { Asking } from '../shared/asking.ts';
import { DEVICE_FIELDS, deviceSettings } from '../shared/device-inputs.ts';
import type { Store } from '../shared/store.ts';
import { difference, keepMeasured, measuredSpeeds, speedFor } from './measured-speeds.ts';

/** Choices must have rested so long before something is measured that nobody asked for. */
const REST_MS = 1500;
const MEASURING = 'Measuring one pass…';

/** What the engine is doing for another part of the page, which a measurement would disturb. */
interface Others {
  inputs(): ChosenInputs | undefined;
  busy(): boolean;
}

/**
 * The training speed of this device for the run as planned: as it was measured, for as long as nothing changes that it
 * depends on; on a hardware GPU it is measured without being asked for.
 */
export class SpeedMeasuring {
  readonly #engine: Pick<EngineApi, 'measureSpeed'>;
  readonly #store: Store<AppState>;
  readonly #others: Others;
  readonly #asking = new Asking<'speed'>();
  #speeds = measuredSpeeds();
  /** What is being measured, or will be once the choices have rested. */
  #under: SpeedConditions | undefined;
  /** What no measuring is begun for by itself: it was canceled, or failed. */
  #declined: SpeedConditions | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #seen: readonly unknown[] = [];

  constructor(engine: Pick<EngineApi, 'measureSpeed'>, store: Store<AppState>, others: Others) {
    this.#engine = engine;
    this.#store = store;
    this.#others = others;
    store.subscribe(() => this.follow());
  }

  /** Looks whether what is planned, or what the engine is doing, has changed. */
  follow(): void {
    const { plan, planning, device, view, run, elsewhere } = this.#store.state;
    const away = isActive(run) || elsewhere !== undefined || this.#others.busy();
    const now = [plan, planning, device, view, away];
    if (now.every((one, i) => one === this.#seen[i])) {
      return;
    }
    this.#seen = now;
    // While a new plan is made, what is being measured may still hold for it.
    if (away || (!plan?.ok && !planning)) {
      this.giveWay();
    }
    const conditions = this.#conditions();
    if (conditions) {
      this.#look(conditions, away);
    }
  }

  /** Measures a pass of the run as planned. */
  async measure(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const inputs = this.#others.inputs();
    const conditions = this.#conditions();
    if (!inputs || !conditions) {
      return;
    }
    this.#under = conditions;
    this.#update({ measuring: MEASURING, refusal: undefined });
    const settings = deviceSettings(this.#store.state.deviceInputs);
    const answer = await this.#asking
      .ask('speed', (signal) =>
        this.#engine.measureSpeed(inputs, settings, (event) => this.#hear(event), signal),
      )
      .catch((error: unknown) => {
        this.giveWay();
        throw error;
      });
    // Another measurement has taken its place, or something that needs the GPU.
    if (!answer) {
      return;
    }
    this.#under = undefined;
    if (answer.ok) {
      const latest = { conditions, ...answer.value, time: Date.now() };
      this.#speeds = keepMeasured(this.#speeds, latest);
      this.#declined = undefined;
    } else {
      this.#declined = conditions;
    }
    this.#update({ measuring: undefined, refusal: answer.ok ? undefined : answer.sentence });
    const now = this.#conditions();
    if (now) {
      this.#update(speedFor(this.#speeds, now));
    }
  }

  /** The user does not want it. */
  cancel(): void {
    const sentence = 'Measuring was canceled; try again to know how long the run takes, or start it without.';
    this.#declined = this.#under;
    if (this.#timer === undefined) {
      this.#asking.cancel('speed', new UserError(sentence));
    } else {
      this.giveWay();
      this.#update({ refusal: sentence });
    }
  }

  /** Ends what is being measured: something else needs the GPU. */
  giveWay(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#under = undefined;
    this.#asking.drop('speed');
    if (this.#store.state.measured.measuring !== undefined) {
      this.#update({ measuring: undefined });
    }
  }

  #look(conditions: SpeedConditions, away: boolean): void {
    if (this.#under && difference(this.#under, conditions) !== undefined) {
      this.giveWay();
    }
    const found = speedFor(this.#speeds, conditions);
    const declined = this.#declined && difference(this.#declined, conditions) === undefined;
    const { refusal } = this.#store.state.measured;
    this.#update({ ...NOTHING, ...found, refusal: declined ? refusal : undefined });
    const { device, view } = this.#store.state;
    const byItself = device?.ok && !device.value.software && view === 'setup' && !away && !declined;
    if (found.speed || this.#under || !byItself) {
      return;
    }
    this.#under = conditions;
    this.#update({ measuring: MEASURING });
    this.#timer = setTimeout(() => void this.measure(), REST_MS);
  }

  /** Of the run as planned, on this device as it is set; undefined while there is no plan. */
  #conditions(): SpeedConditions | undefined {
    const { plan, device, deviceInputs } = this.#store.state;
    if (!plan?.ok || !device?.ok) {
      return undefined;
    }
    const settings = DEVICE_FIELDS.map(([name, { label }]) => [
      `“${label}”`,
      deviceInputs.texts[name] || 'empty',
    ]);
    return {
      GPU: device.value.name,
      'GPU driver, or version of Retune': device.value.key,
      'version of the browser': navigator.userAgent,
      ...plan.value.speedConditions,
      ...(Object.fromEntries(settings) as Record<string, string>),
    };
  }

  #hear(event: RunEvent): void {
    if (event.type === 'phase' && this.#under) {
      const share = event.total > 0 ? `, ${showShare(event.done, event.total)}` : '';
      this.#update({ measuring: `Measuring one pass: ${event.phase}${share}…` });
    }
  }

  #update(patch: Partial<AppState['measured']>): void {
    this.#store.update({ measured: { ...this.#store.state.measured, ...patch } });
  }
}

const NOTHING = { speed: undefined, outdated: undefined } as const;
