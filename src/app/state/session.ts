import type { EngineApi } from '../../worker/protocol.ts';
import { initialState, type AppState } from './app-state.ts';
import { Chat } from './chat.ts';
import { Choices } from './choices.ts';
import { Store } from './store.ts';
import { Training } from './training.ts';

/** What the views are given: the state, and everything that can be done about it. */
export class Session {
  readonly store = new Store<AppState>(initialState);
  readonly choices: Choices;
  readonly training: Training;
  readonly chat: Chat;
  readonly #engine: EngineApi;
  #takeUpdate: (() => void) | undefined;

  constructor(engine: EngineApi) {
    this.#engine = engine;
    this.choices = new Choices(engine, this.store);
    this.training = new Training(engine, this.store);
    this.chat = new Chat(engine, this.store);
  }

  /** Finds the device, the defaults, and what an earlier visit left unfinished. */
  async begin(): Promise<void> {
    try {
      await this.choices.loadDefaults();
      const device = await this.#engine.device();
      this.store.update({ device });
      if (device.ok) await this.training.recover();
    } catch (error) {
      this.store.update({ crash: String(error) });
    }
  }

  /** The bundled demo from one click: its files are taken, and where they are sound the run begins. */
  async runDemo(): Promise<void> {
    await this.choices.chooseDemo();
    const inputs = this.choices.inputs();
    if (inputs) await this.training.start(inputs);
  }

  updateReady(take: () => void): void {
    this.#takeUpdate = take;
    this.store.update({ updateReady: true });
  }

  takeUpdate(): void {
    this.#takeUpdate?.();
  }
}
